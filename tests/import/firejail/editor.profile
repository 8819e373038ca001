# Shows the whole home but for what is blacklisted.
noblacklist ${HOME}/.editorrc
noblacklist ${HOME}/Notes
ignore noexec ${HOME}
include limits.inc
blacklist ${HOME}/Letters
blacklist ${HOME}/Notes
read-only ${HOME}/Templates
mkfile ${HOME}/.editorrc
net none
nosound
no3d
x11 none
restrict-namespaces
env EDITOR_MODE=quiet
rlimit-nofile 100
hostname desk
nice 5
timeout 01:00:30
rlimit-nproc 200
rlimit-as 1000
