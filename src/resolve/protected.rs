//! Protected paths: places in a home that decide what happens outside the
//! sandbox, or that hold what no application should read by the way.
//!
//! They stay shut inside every broader grant, also while they do not exist,
//! and open only to a grant that names them. The list is one place on
//! purpose; each entry says why it is here.

use crate::model::facts::HostFacts;
use crate::model::path::AbsPath;

/// Why a path is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Keys, tokens and passwords.
    Secret,
    /// What a browser or mail program keeps: sessions, passwords, mail.
    Profile,
    /// Read and executed by shells, editors or the session, outside.
    Runs,
    /// Decides what other sandboxes may do, or is their data.
    Sandbox,
}

impl Reason {
    /// The reason as people read it.
    pub fn text(self) -> &'static str {
        match self {
            Reason::Secret => "holds secrets",
            Reason::Profile => "holds a browser's or mail program's profile",
            Reason::Runs => "is executed or obeyed outside the sandbox",
            Reason::Sandbox => "belongs to sandboxes",
        }
    }
}

/// Paths relative to the home.
const HOME: &[(Reason, &[&str])] = &[
    (
        Reason::Secret,
        &[
            ".ssh", ".gnupg", ".pki", ".password-store", ".netrc", ".authinfo", ".authinfo.gpg",
            ".git-credentials", ".aws", ".azure", ".kube", ".docker", ".vault-token", ".npmrc",
            ".pypirc", ".pgpass", ".my.cnf", ".smbcredentials", ".cert", ".bash_history",
            ".zsh_history", ".python_history", ".lesshst", ".mysql_history", ".psql_history",
            ".Xauthority", ".ICEauthority", ".electrum", ".bitcoin", ".config/gh",
            ".config/gcloud", ".config/op", ".config/Bitwarden", ".config/keepassxc",
            ".config/rclone", ".config/pulse/cookie", ".local/share/keyrings",
            ".local/share/kwalletd", ".kde/share/apps/kwallet", ".local/share/fish",
            ".config/evolution", ".config/goa-1.0", ".local/share/containers",
            ".terraform.d", ".config/hub", ".databricks", ".config/sops",
        ],
    ),
    (
        Reason::Profile,
        &[
            ".mozilla", ".thunderbird", ".waterfox", ".librewolf", ".tor-browser", ".icedove",
            ".config/mozilla", ".config/chromium", ".config/google-chrome",
            ".config/google-chrome-beta", ".config/google-chrome-unstable",
            ".config/BraveSoftware", ".config/microsoft-edge", ".config/opera",
            ".config/vivaldi", ".config/falkon", ".config/epiphany", ".config/qutebrowser",
            ".local/share/epiphany", ".local/share/evolution", ".local/share/qutebrowser",
            ".local/share/tor-browser", ".cache/mozilla", ".cache/chromium",
            ".cache/google-chrome", ".config/Signal", ".config/discord", ".config/Slack",
            ".config/Element", ".purple", ".local/share/TelegramDesktop",
        ],
    ),
    (
        Reason::Runs,
        &[
            ".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".bash_aliases",
            ".bash_completion", ".bashrc.d", ".profile", ".login", ".logout", ".zshrc", ".zshenv",
            ".zprofile", ".zlogin", ".zlogout", ".zsh", ".oh-my-zsh", ".kshrc", ".mkshrc",
            ".cshrc", ".tcshrc", ".inputrc", ".xprofile", ".xsession", ".xsessionrc", ".xinitrc",
            ".xserverrc", ".Xresources", ".Xdefaults", ".xmodmaprc", ".Xmodmap",
            ".pam_environment", ".environment", ".dmrc", ".vimrc", ".vim", ".gvimrc",
            ".viminfo", ".exrc", ".nanorc", ".emacs", ".emacs.d", ".gdbinit", ".lldbinit",
            ".gitconfig", ".hgrc", ".screenrc", ".tmux.conf", ".wgetrc", ".curlrc", ".mailcap",
            ".forward", ".procmailrc", ".pythonrc", ".pystartup", ".irbrc", ".Rprofile",
            ".octaverc", ".perldb", ".cargo", ".rustup", ".npm", ".gem", ".pyenv", ".rbenv",
            ".nvm", ".sdkman", ".nix-profile", ".nix-defexpr", ".guix-profile", ".i3", ".fvwm",
            ".fluxbox", ".icewm", ".openbox", ".xmonad", "bin", ".bin",
            ".local/bin", ".local/lib", ".local/share/applications", ".local/share/dbus-1",
            ".local/share/systemd", ".local/share/flatpak", ".local/share/gnome-shell",
            ".local/share/cinnamon", ".local/share/plasma", ".local/share/kwin",
            ".local/share/kio", ".local/share/kservices5", ".local/share/kservicetypes5",
            ".local/share/konsole", ".local/share/nautilus", ".local/share/nautilus-python",
            ".local/share/nemo", ".local/share/caja", ".local/share/Thunar",
            ".local/share/file-manager", ".local/share/xdg-desktop-portal",
            ".local/share/bash-completion", ".local/share/zsh", ".local/share/mime",
            ".local/share/desktop-directories",
            ".local/share/gvfs-metadata", ".local/state/nix", ".config/autostart",
            ".config/autostart-scripts", ".config/plasma-workspace", ".config/systemd",
            ".config/environment.d", ".config/dconf", ".config/fish", ".config/zsh",
            ".config/bash", ".config/nushell", ".config/xonsh", ".config/powershell",
            ".config/git", ".config/nvim", ".config/vim", ".config/emacs", ".config/helix",
            ".config/micro", ".config/nano", ".config/Code", ".config/VSCodium", ".vscode",
            ".config/sway", ".config/i3", ".config/i3status", ".config/hypr", ".config/labwc",
            ".config/openbox", ".config/awesome", ".config/bspwm", ".config/sxhkd",
            ".config/river", ".config/niri", ".config/wayfire.ini", ".config/weston.ini",
            ".config/qtile", ".config/herbstluftwm", ".config/lxsession", ".config/lxqt",
            ".config/xfce4", ".config/mate", ".config/cinnamon-session", ".config/gnome-session",
            ".config/kwinrc", ".config/kdeglobals", ".config/kglobalshortcutsrc",
            ".config/khotkeysrc", ".config/ksmserverrc", ".config/plasmarc",
            ".config/plasma-org.kde.plasma.desktop-appletsrc", ".config/konsolerc",
            ".config/waybar", ".config/polybar", ".config/dunst", ".config/mako", ".config/rofi",
            ".config/alacritty", ".config/kitty", ".config/foot", ".config/wezterm",
            ".config/tmux", ".config/terminator", ".config/mimeapps.list",
            ".config/user-dirs.dirs", ".config/user-dirs.locale", ".config/xdg-desktop-portal",
            ".config/pipewire", ".config/wireplumber", ".config/pulse", ".config/containers",
            ".config/direnv", ".config/mise", ".config/npm", ".config/pip", ".config/uwsm",
            ".config/xsettingsd", ".config/Thunar", ".config/nautilus", ".config/pcmanfm",
            ".config/pcmanfm-qt", ".config/kitty.conf", ".config/gtk-3.0/gtk.css",
            ".config/gdb", ".config/mc", ".config/ranger", ".config/lf", ".config/yazi",
            ".config/mpv/scripts", ".dbus", ".fonts.conf.d", ".ICE-unix", ".gconf",
        ],
    ),
    (
        Reason::Sandbox,
        &[
            ".config/pinfold", ".local/share/pinfold", ".local/state/pinfold", ".cache/pinfold",
            ".var", "snap", ".snap", ".config/firejail", ".config/bubblejail",
            ".local/share/bubblejail", ".config/flatpak", ".firejail",
        ],
    ),
];

/// Every protected path of this caller, in both of their homes, in the xdg
/// folders where those lie elsewhere, and the folders of `$PATH` in the home.
pub fn paths(facts: &HostFacts) -> Vec<(AbsPath, Reason)> {
    let mut all = Vec::with_capacity(512);
    for home in std::iter::once(&facts.home).chain(&facts.account_home) {
        for (reason, list) in HOME {
            for rest in *list {
                if let Ok(path) = home.join(rest) {
                    all.push((path, *reason));
                }
            }
        }
    }
    let moved = [
        (".config/", &facts.config_home),
        (".local/share/", &facts.data_home),
        (".local/state/", &facts.state_home),
        (".cache/", &facts.cache_home),
    ];
    for (prefix, base) in moved {
        let usual = facts.home.join(prefix.trim_end_matches('/'));
        if usual.as_ref() == Ok(base) {
            continue;
        }
        for (reason, list) in HOME {
            for rest in list.iter().filter_map(|path| path.strip_prefix(prefix)) {
                if let Ok(path) = base.join(rest) {
                    all.push((path, *reason));
                }
            }
        }
    }
    for folder in facts.environment.get("PATH").map_or("", String::as_str).split(':') {
        if let Ok(path) = AbsPath::new(folder)
            && path.is_beneath(&facts.home)
        {
            all.push((path, Reason::Runs));
        }
    }
    all
}
