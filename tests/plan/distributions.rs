//! Hosts in the shapes that distributions have, each cut down to what the
//! resolver looks at. Device nodes are missing, since only root can make
//! them; `session` asks the real host about those.

use super::tree::{Host, Tree, path};

/// A host by the name of its folder in `tests/golden/plan`.
pub struct Distribution {
    pub name: &'static str,
    pub host: Host,
    /// Flags of the run, as a manifest of the topmost layer.
    pub flags: &'static str,
}

/// Every host.
pub fn all() -> Vec<Distribution> {
    let of = |name, host| Distribution { name, host, flags: "" };
    vec![
        of("debian-12", debian_12()),
        of("debian-10", debian_10()),
        of("fedora", fedora()),
        of("arch", arch()),
        of("ostree", ostree()),
        of("nixos", nixos()),
        of("guix", guix()),
        Distribution { name: "odd", host: odd(), flags: "[network]\nmode = \"host\"" },
    ]
}

/// The programs of the shipped manifests, and `true` for a bare one.
const PROGRAMS: [&str; 15] = [
    "true",
    "chromium",
    "evince",
    "eog",
    "featherpad",
    "firefox-esr",
    "galculator",
    "gimp",
    "gnome-calculator",
    "libreoffice",
    "mousepad",
    "mpv",
    "xcalc",
    "xeyes",
    "xterm",
];

fn programs(tree: &Tree, folder: &str) {
    for name in PROGRAMS.iter().chain(&["sh", "bash"]) {
        tree.program(&format!("{folder}/{name}"));
    }
}

/// What every Linux has at these places.
fn kernel(tree: &Tree) {
    for file in ["sys", "sysrq-trigger", "keys", "kallsyms", "kcore", "kmsg"] {
        tree.file(&format!("/proc/{file}"), "");
    }
    tree.folder("/sys/devices/system/cpu");
    tree.folder("/dev/pts");
    tree.folder("/tmp");
    tree.mode("/tmp", 0o1777);
    tree.folder("/var/tmp");
    tree.mode("/var/tmp", 0o1777);
}

/// A graphics card.
fn gpu(tree: &Tree) {
    tree.folder("/dev/dri");
    tree.folder("/sys/dev/char");
    tree.folder("/sys/class/drm");
    tree.folder("/sys/bus/pci");
}

/// What a home has after some years.
fn home(tree: &Tree, home: &str) {
    for folder in [
        ".ssh",
        ".gnupg",
        ".mozilla",
        ".config/autostart",
        ".config/fontconfig",
        ".cache",
        ".local/share/icons",
        ".local/share/fonts",
        ".local/share/applications",
        ".local/bin",
        "Desktop",
        "Documents/private",
        "Downloads",
        "Music",
        "Pictures",
        "Templates",
        "Videos",
    ] {
        tree.folder(&format!("{home}/{folder}"));
    }
    for file in [".bashrc", ".profile", "Documents/letter.odt"] {
        tree.file(&format!("{home}/{file}"), "");
    }
    tree.own(home);
}

fn wayland(host: &mut Host) {
    let socket = host.runtime("wayland-0");
    host.tree.socket(&socket);
    host.set("WAYLAND_DISPLAY", "wayland-0");
    host.set("XDG_SESSION_TYPE", "wayland");
    let folder = host.runtime("");
    host.tree.own(folder.trim_end_matches('/'));
}

fn x11(host: &mut Host, display: &str) {
    host.tree.socket("/tmp/.X11-unix/X0");
    host.tree.mode("/tmp/.X11-unix", 0o1777);
    host.set("DISPLAY", display);
}

fn sound(host: &mut Host) {
    let pulse = host.runtime("pulse/native");
    host.tree.socket(&pulse);
    let pipewire = host.runtime("pipewire-0");
    host.tree.socket(&pipewire);
    let folder = host.runtime("");
    host.tree.own(folder.trim_end_matches('/'));
}

/// Merged /usr, alternatives, the time zone as a link, an X session.
fn debian_12() -> Host {
    let tree = Tree::new();
    kernel(&tree);
    gpu(&tree);
    for name in ["bin", "sbin", "lib", "lib64"] {
        tree.folder(&format!("/usr/{name}"));
        tree.link(&format!("/{name}"), &format!("usr/{name}"));
    }
    programs(&tree, "/usr/bin");
    tree.folder("/usr/games");
    tree.folder("/usr/local/bin");
    tree.program("/usr/bin/gimp-2.10");
    std::fs::remove_file(tree.at("/usr/bin/gimp")).unwrap();
    tree.link("/usr/bin/gimp", "/etc/alternatives/gimp");
    tree.link("/etc/alternatives/gimp", "/usr/bin/gimp-2.10");
    tree.file("/usr/share/zoneinfo/Europe/Berlin", "");
    tree.link("/etc/localtime", "/usr/share/zoneinfo/Europe/Berlin");
    tree.file("/etc/timezone", "Europe/Berlin\n");
    tree.file("/usr/lib/os-release", "ID=debian\n");
    tree.link("/etc/os-release", "../usr/lib/os-release");
    for file in ["debian_version", "nsswitch.conf", "ld.so.conf", "shadow", "hosts", "resolv.conf"]
    {
        tree.file(&format!("/etc/{file}"), "");
    }
    // Larger than what is copied.
    tree.file("/etc/ld.so.cache", &"x".repeat(20_000));
    tree.file("/etc/default/locale", "LANG=de_DE.UTF-8\n");
    for folder in ["ld.so.conf.d", "fonts", "gtk-3.0", "xdg", "ssl/certs", "X11", "pulse"] {
        tree.folder(&format!("/etc/{folder}"));
    }
    tree.folder("/var/cache/fontconfig");
    tree.link("/var/run", "/run");
    let mut host = Host::of(tree, "/home/ada");
    home(&host.tree, "/home/ada");
    host.tree.file("/home/ada/.Xauthority", "");
    host.tree.own("/home/ada");
    x11(&mut host, ":0");
    sound(&mut host);
    for (name, value) in [
        ("LANG", "de_DE.UTF-8"),
        ("XDG_SESSION_TYPE", "x11"),
        ("XDG_CURRENT_DESKTOP", "XFCE"),
        ("XDG_DATA_DIRS", "/usr/share/xfce4:/usr/local/share/:/usr/share/:/var/lib/snapd/desktop"),
        ("SSH_AUTH_SOCK", "/tmp/ssh-XXXX/agent.1"),
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
    ] {
        host.set(name, value);
    }
    host.landlock_abi = 2;
    host
}

/// /bin, /sbin and /lib are folders of their own.
fn debian_10() -> Host {
    let tree = Tree::new();
    kernel(&tree);
    programs(&tree, "/usr/bin");
    for program in ["/bin/sh", "/bin/bash", "/bin/true"] {
        tree.program(program);
    }
    for folder in ["/sbin", "/lib/x86_64-linux-gnu", "/lib64", "/usr/lib", "/usr/sbin"] {
        tree.folder(folder);
    }
    tree.file("/etc/ld.so.cache", &"x".repeat(20_000));
    tree.file("/usr/share/zoneinfo/UTC", "");
    tree.file("/etc/localtime", "");
    tree.folder("/etc/fonts");
    tree.folder("/etc/ssl");
    let mut host = Host::of(tree, "/home/ada");
    home(&host.tree, "/home/ada");
    x11(&mut host, ":0.1");
    host.landlock_abi = 0;
    host
}

/// /lib64, certificates beneath /etc/pki, a Wayland session with Xwayland.
fn fedora() -> Host {
    let tree = Tree::new();
    kernel(&tree);
    gpu(&tree);
    for name in ["bin", "sbin", "lib", "lib64"] {
        tree.folder(&format!("/usr/{name}"));
        tree.link(&format!("/{name}"), &format!("usr/{name}"));
    }
    programs(&tree, "/usr/bin");
    fedora_etc(&tree);
    let mut host = Host::of(tree, "/home/ada");
    home(&host.tree, "/home/ada");
    wayland(&mut host);
    x11(&mut host, ":0");
    sound(&mut host);
    let authority = host.runtime(".mutter-Xwaylandauth.ABCDEF");
    host.tree.file(&authority, "");
    host.set("XAUTHORITY", &authority);
    host
}

fn fedora_etc(tree: &Tree) {
    tree.file("/usr/share/crypto-policies/DEFAULT/openssl.txt", "");
    tree.link(
        "/etc/crypto-policies/back-ends/openssl.config",
        "/usr/share/crypto-policies/DEFAULT/openssl.txt",
    );
    tree.folder("/etc/pki/tls/certs");
    tree.link("/etc/ssl/certs", "../pki/tls/certs");
    tree.file("/usr/share/zoneinfo/Europe/Berlin", "");
    tree.link("/etc/localtime", "../usr/share/zoneinfo/Europe/Berlin");
    tree.file("/usr/lib/os-release", "ID=fedora\n");
    tree.link("/etc/os-release", "../usr/lib/os-release");
    tree.file("/etc/authselect/nsswitch.conf", "");
    tree.link("/etc/nsswitch.conf", "/etc/authselect/nsswitch.conf");
    tree.file("/etc/ld.so.cache", &"x".repeat(20_000));
    tree.file("/etc/locale.conf", "LANG=de_DE.UTF-8\n");
    for folder in ["alternatives", "fonts/conf.d", "xdg", "X11", "dconf/db"] {
        tree.folder(&format!("/etc/{folder}"));
    }
}

/// /sbin and /lib64 lead where /bin and /lib do; a Wayland session without X.
fn arch() -> Host {
    let tree = Tree::new();
    kernel(&tree);
    gpu(&tree);
    tree.folder("/usr/lib");
    programs(&tree, "/usr/bin");
    for (name, target) in
        [("bin", "usr/bin"), ("sbin", "usr/bin"), ("lib", "usr/lib"), ("lib64", "usr/lib")]
    {
        tree.link(&format!("/{name}"), target);
    }
    tree.link("/usr/sbin", "bin");
    tree.link("/usr/lib64", "lib");
    tree.folder("/etc/ca-certificates/extracted/cadir");
    tree.link("/etc/ssl/certs/ca.pem", "../../ca-certificates/extracted/cadir/ca.pem");
    tree.file("/usr/share/zoneinfo/UTC", "");
    tree.link("/etc/localtime", "/usr/share/zoneinfo/UTC");
    tree.file("/usr/lib/os-release", "ID=arch\n");
    tree.link("/etc/os-release", "../usr/lib/os-release");
    tree.file("/etc/ld.so.cache", &"x".repeat(20_000));
    tree.folder("/etc/fonts");
    let mut host = Host::of(tree, "/home/ada");
    home(&host.tree, "/home/ada");
    wayland(&mut host);
    sound(&mut host);
    host
}

/// An image-based system: /usr is not to be changed, so what may change lies
/// in /var and links lead there. Programs beyond the image are missing.
fn ostree() -> Host {
    let tree = Tree::new();
    kernel(&tree);
    gpu(&tree);
    for name in ["bin", "sbin", "lib", "lib64"] {
        tree.folder(&format!("/usr/{name}"));
        tree.link(&format!("/{name}"), &format!("usr/{name}"));
    }
    programs(&tree, "/usr/bin");
    for layered in ["gimp", "xcalc", "xeyes", "featherpad"] {
        std::fs::remove_file(tree.at(&format!("/usr/bin/{layered}"))).unwrap();
    }
    fedora_etc(&tree);
    for (name, target) in [
        ("/home", "var/home"),
        ("/opt", "var/opt"),
        ("/srv", "var/srv"),
        ("/mnt", "var/mnt"),
        ("/root", "var/roothome"),
        ("/media", "run/media"),
        ("/ostree", "sysroot/ostree"),
        ("/usr/local", "../var/usrlocal"),
    ] {
        tree.link(name, target);
    }
    for folder in ["/var/opt", "/var/srv", "/var/mnt", "/var/roothome", "/sysroot/ostree"] {
        tree.folder(folder);
    }
    // Installed by hand, and found all the same.
    tree.program("/var/usrlocal/bin/featherpad");
    tree.folder("/var/home/ada");
    let mut host = Host::of(tree, "/var/home/ada");
    home(&host.tree, "/var/home/ada");
    host.set("HOME", "/home/ada");
    host.cwd = Some(path("/var/home/ada/Documents"));
    wayland(&mut host);
    sound(&mut host);
    host
}

/// Programs lie in /nix/store; nearly all of /etc are links into it.
fn nixos() -> Host {
    let tree = Tree::new();
    kernel(&tree);
    gpu(&tree);
    let store = |name: &str| format!("/nix/store/{}-{name}", "0123456789abcdfghijklmnpqrsvwxyz");
    let (system, etc) = (store("nixos-system-ada-24.05"), store("etc"));
    for name in PROGRAMS {
        let program = format!("{}/bin/{name}", store(name));
        tree.program(&program);
        tree.link(&format!("{}/bin/{name}", store("system-path")), &program);
    }
    let bash = format!("{}/bin/bash", store("bash-interactive"));
    tree.program(&bash);
    tree.link(&format!("{}/bin/bash", store("system-path")), &bash);
    tree.link(&format!("{}/bin/sh", store("bash-interactive")), "bash");
    tree.program(&format!("{}/bin/env", store("coreutils")));
    tree.link(&format!("{system}/sw"), &store("system-path"));
    tree.link(&format!("{system}/etc"), &format!("{etc}/etc"));
    tree.link("/run/current-system", &system);
    tree.link("/run/booted-system", &system);
    tree.folder(&format!("{}/lib", store("graphics-drivers")));
    tree.link("/run/opengl-driver", &store("graphics-drivers"));
    tree.link("/bin/sh", &format!("{}/bin/sh", store("bash-interactive")));
    tree.link("/usr/bin/env", &format!("{}/bin/env", store("coreutils")));
    tree.link("/etc/static", &format!("{etc}/etc"));
    tree.folder(&format!("{}/etc/fonts/conf.d", store("fontconfig-etc")));
    tree.link(&format!("{etc}/etc/fonts"), &format!("{}/etc/fonts", store("fontconfig-etc")));
    tree.link("/etc/fonts", "/etc/static/fonts");
    for file in ["nsswitch.conf", "os-release", "services", "protocols", "shells", "locale.conf"] {
        tree.file(&store(file), "");
        tree.link(&format!("{etc}/etc/{file}"), &store(file));
        tree.link(&format!("/etc/{file}"), &format!("/etc/static/{file}"));
    }
    // Folders that several modules fill are real; their leaves are links.
    tree.file(&format!("{}/etc/ssl/certs/ca-bundle.crt", store("nss-cacert")), "");
    tree.link(
        &format!("{etc}/etc/ssl/certs/ca-certificates.crt"),
        &format!("{}/etc/ssl/certs/ca-bundle.crt", store("nss-cacert")),
    );
    tree.link("/etc/ssl/certs/ca-certificates.crt", "/etc/static/ssl/certs/ca-certificates.crt");
    tree.file(&format!("{}/share/zoneinfo/Europe/Berlin", store("tzdata")), "");
    tree.link(&format!("{etc}/etc/zoneinfo"), &format!("{}/share/zoneinfo", store("tzdata")));
    tree.link("/etc/zoneinfo", "/etc/static/zoneinfo");
    tree.link("/etc/localtime", "/etc/zoneinfo/Europe/Berlin");
    let mut host = Host::of(tree, "/home/ada");
    let bash = "/run/current-system/sw/bin/bash";
    let passwd = std::fs::read_to_string(host.tree.at("/etc/passwd")).unwrap();
    host.tree.file("/etc/passwd", &passwd.replace("/bin/bash", bash));
    home(&host.tree, "/home/ada");
    host.tree.link("/home/ada/.nix-profile", "/nix/var/nix/profiles/per-user/ada/profile");
    wayland(&mut host);
    x11(&mut host, ":0");
    sound(&mut host);
    for (name, value) in [
        ("LANG", "de_DE.UTF-8"),
        ("LOCALE_ARCHIVE", "/run/current-system/sw/lib/locale/locale-archive"),
        ("TZDIR", "/etc/zoneinfo"),
        (
            "XDG_DATA_DIRS",
            "/home/ada/.nix-profile/share:/etc/profiles/per-user/ada/share:/run/current-system/sw/share",
        ),
    ] {
        host.set(name, value);
    }
    host
}

/// Programs lie in /gnu/store.
fn guix() -> Host {
    let tree = Tree::new();
    kernel(&tree);
    let store = |name: &str| format!("/gnu/store/{}-{name}", "0123456789abcdfghijklmnpqrsvwxyz");
    let profile = store("profile");
    for name in PROGRAMS.iter().chain(&["bash"]) {
        let program = format!("{}/bin/{name}", store(name));
        tree.program(&program);
        tree.link(&format!("{profile}/bin/{name}"), &program);
    }
    tree.link(&format!("{}/bin/sh", store("bash")), "bash");
    tree.program(&format!("{}/bin/env", store("coreutils")));
    tree.link(&format!("{}/profile", store("system")), &profile);
    tree.link("/run/current-system", &store("system"));
    tree.link("/run/booted-system", &store("system"));
    tree.link("/bin/sh", &format!("{}/bin/sh", store("bash")));
    tree.link("/usr/bin/env", &format!("{}/bin/env", store("coreutils")));
    tree.link("/etc/static", &format!("{}/etc", store("etc")));
    for file in ["nsswitch.conf", "services", "protocols"] {
        tree.file(&store(file), "");
        tree.link(&format!("{}/etc/{file}", store("etc")), &store(file));
        tree.link(&format!("/etc/{file}"), &format!("/etc/static/{file}"));
    }
    tree.folder(&format!("{profile}/etc/ssl/certs"));
    tree.link("/etc/ssl", "/run/current-system/profile/etc/ssl");
    tree.file(&format!("{}/share/zoneinfo/Europe/Berlin", store("tzdata")), "");
    tree.link("/etc/localtime", &format!("{}/share/zoneinfo/Europe/Berlin", store("tzdata")));
    let mut host = Host::of(tree, "/home/ada");
    let bash = "/run/current-system/profile/bin/bash";
    let passwd = std::fs::read_to_string(host.tree.at("/etc/passwd")).unwrap();
    host.tree.file("/etc/passwd", &passwd.replace("/bin/bash", bash));
    home(&host.tree, "/home/ada");
    x11(&mut host, ":0");
    for (name, value) in [
        ("GUIX_LOCPATH", "/run/current-system/locale"),
        ("SSL_CERT_DIR", "/etc/ssl/certs"),
        ("XDG_DATA_DIRS", "/home/ada/.guix-profile/share:/run/current-system/profile/share"),
    ] {
        host.set(name, value);
    }
    host
}

/// What people do to a Debian: the home is a link, the xdg folders lie
/// elsewhere, the well-known folders have German names, one is switched off
/// and one is on another disk, much of /etc is missing, the network is
/// granted and its name server is systemd's.
fn odd() -> Host {
    let tree = Tree::new();
    kernel(&tree);
    for name in ["bin", "sbin", "lib"] {
        tree.folder(&format!("/usr/{name}"));
        tree.link(&format!("/{name}"), &format!("usr/{name}"));
    }
    programs(&tree, "/usr/bin");
    tree.file("/etc/localtime", "");
    tree.file("/etc/hosts", "127.0.0.1 localhost\n");
    tree.file("/run/systemd/resolve/stub-resolv.conf", "nameserver 127.0.0.53\n");
    tree.link("/etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf");
    tree.folder("/data/ada");
    tree.link("/home/ada", "/data/ada");
    let mut host = Host::of(tree, "/home/ada");
    for folder in
        [".ssh", ".local/share/fonts", "Dokumente/private", "Vorlagen", "Schreibtisch", "Bilder"]
    {
        host.tree.folder(&format!("/data/ada/{folder}"));
    }
    host.tree.folder("/data/music");
    host.tree.file(
        "/data/settings/user-dirs.dirs",
        "XDG_DOCUMENTS_DIR=\"$HOME/Dokumente\"\nXDG_TEMPLATES_DIR=\"$HOME/Vorlagen\"\n\
         XDG_PICTURES_DIR=\"$HOME/Bilder\"\nXDG_DESKTOP_DIR=\"$HOME/Schreibtisch\"\n\
         XDG_MUSIC_DIR=\"/data/music\"\nXDG_DOWNLOAD_DIR=\"$HOME/\"\n",
    );
    host.tree.folder("/data/settings/fontconfig");
    host.tree.folder("/data/share/icons");
    host.tree.folder("/data/share/pinfold");
    for folder in ["/data/ada", "/data/music", "/data/settings", "/data/share"] {
        host.tree.own(folder);
    }
    host.set("XDG_CONFIG_HOME", "/data/settings");
    host.set("XDG_DATA_HOME", "/data/share");
    host.cwd = Some(path("/data/ada/Dokumente"));
    x11(&mut host, "unix:0");
    host.landlock_abi = 3;
    host
}
