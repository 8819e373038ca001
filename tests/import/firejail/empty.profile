private
private-cache
net eth0
protocol unix
dbus-user none
dbus-system none
nosound
quiet
