# A player that shows what it is told to.
include player.local
include globals.local

noblacklist ${HOME}/.config/player

include limits.inc

mkdir ${HOME}/.config/player
whitelist ${HOME}/.config/player
whitelist ${MUSIC}
whitelist /usr/share/player
whitelist /var/lib/player
whitelist ${RUNUSER}/pulse/native
whitelist ${RUNUSER}/wayland-?
read-only ${MUSIC}
?HAS_APPIMAGE: whitelist ${HOME}/.appimage

caps.drop all
netfilter
nodvd
nogroups
nonewprivs
noroot
protocol unix,inet,inet6
seccomp !chroot
private-dev	# with a remark
private-tmp
private-bin player,sh
private-etc fonts,ssl

dbus-user filter
dbus-user.own org.mpris.MediaPlayer2.player
?ALLOW_TRAY: dbus-user.talk org.kde.StatusNotifierWatcher
dbus-user.talk org.freedesktop.Notifications
dbus-system none

memory-deny-write-execute
later-directive 1
