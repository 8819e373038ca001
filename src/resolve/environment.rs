//! Variables, by allow-list: a token in the caller's environment is as secret
//! as one in a file.

use crate::model::path::AbsPath;
use crate::model::plan::{Bus, Weight};

use super::Resolution;
use super::base::fixed;

/// What is handed on from the caller as it is. A final `*` stands for any
/// ending.
const PASSED: [&str; 46] = [
    "LANG",
    "LANGUAGE",
    "LC_*",
    "TZ",
    // Where NixOS and Guix have time zones, locales and certificates.
    "TZDIR",
    "LOCALE_ARCHIVE",
    "GUIX_LOCPATH",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TERM",
    "COLORTERM",
    "NO_COLOR",
    "CLICOLOR",
    "COLUMNS",
    "LINES",
    "XCURSOR_THEME",
    "XCURSOR_SIZE",
    "GDK_SCALE",
    "GDK_DPI_SCALE",
    "GTK_THEME",
    "GTK_IM_MODULE",
    "QT_IM_MODULE",
    "QT_IM_MODULES",
    "XMODIFIERS",
    "QT_SCALE_FACTOR",
    "QT_SCREEN_SCALE_FACTORS",
    "QT_AUTO_SCREEN_SCALE_FACTOR",
    "QT_ENABLE_HIGHDPI_SCALING",
    "QT_FONT_DPI",
    "QT_STYLE_OVERRIDE",
    "QT_WAYLAND_DISABLE_WINDOWDECORATION",
    "XDG_CURRENT_DESKTOP",
    "XDG_SESSION_DESKTOP",
    "XDG_SESSION_TYPE",
    "DESKTOP_SESSION",
    "KDE_FULL_SESSION",
    "KDE_SESSION_VERSION",
    "DESKTOP_STARTUP_ID",
    "XDG_ACTIVATION_TOKEN",
    "MOZ_ENABLE_WAYLAND",
    "ELM_SCALE",
    "LIBGL_ALWAYS_SOFTWARE",
    "__GLX_VENDOR_LIBRARY_NAME",
    "DRI_PRIME",
    "SDL_VIDEODRIVER",
    "CLUTTER_BACKEND",
];

/// What toolkits are told where a bus, or a service on it, is not granted:
/// without it they would wait for services, start a bus of their own, or keep
/// settings where nobody finds them.
fn without_bus(r: &Resolution<'_>) -> Vec<(&'static str, &'static str)> {
    let buses = r.filter.iter().flat_map(|filter| &filter.buses);
    let has = |bus| buses.clone().any(|plan| plan.bus == bus);
    let dconf = buses.clone().flat_map(|plan| &plan.rules).any(|rule| rule.name == DCONF);
    let mut told = Vec::new();
    if !has(Bus::Session) {
        told.push(("DBUS_SESSION_BUS_ADDRESS", "disabled:"));
    }
    if !dconf {
        told.push(("GSETTINGS_BACKEND", "keyfile"));
    }
    if !has(Bus::Accessibility) {
        told.extend([("NO_AT_BRIDGE", "1"), ("GTK_A11Y", "none")]);
    }
    told
}

/// The service by which GSettings are changed.
const DCONF: &str = "ca.desrt.dconf";

/// Variables that name an open descriptor. What they name is kept open for the
/// application, so only the permission that grants the thing itself states
/// them: a manifest that could would be handed whatever the caller has open.
const DESCRIPTORS: [&str; 1] = ["WAYLAND_SOCKET"];

/// Where programs look for data; those of the caller that are not visible
/// inside are left out.
const DATA_DIRS: &str = "/usr/local/share:/usr/share";

/// States the environment.
pub fn resolve(r: &mut Resolution<'_>) {
    let caller = &r.facts.environment;
    let without_bus = without_bus(r);
    let mut environment = std::mem::take(&mut r.environment);
    let extra: Vec<String> = r.settings().environment_pass.values().cloned().collect();
    let patterns: Vec<&str> = PASSED.into_iter().chain(extra.iter().map(String::as_str)).collect();
    for (name, value) in caller {
        if DESCRIPTORS.contains(&name.as_str()) {
            continue;
        }
        if patterns.iter().any(|pattern| matches(pattern, name)) && !value.contains('\0') {
            environment.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    let mut fix = |name: &str, value: String| environment.insert(name.to_owned(), value);
    fix("HOME", r.facts.home.as_str().to_owned());
    fix("USER", r.facts.user.clone());
    fix("LOGNAME", r.facts.user.clone());
    fix("SHELL", r.shell().into());
    fix("PATH", search_path(r));
    fix("XDG_RUNTIME_DIR", r.runtime_dir().as_str().to_owned());
    fix("XDG_DATA_DIRS", data_dirs(r));
    fix("XDG_CONFIG_DIRS", "/etc/xdg".to_owned());
    for (name, value) in without_bus {
        fix(name, value.to_owned());
    }
    let mut refused = Vec::new();
    for (name, stated) in &r.policy.settings.environment_set {
        if DESCRIPTORS.contains(&name.as_str()) {
            refused.push((name.clone(), stated.origin.clone()));
            continue;
        }
        environment.insert(name.clone(), stated.value.clone());
    }
    r.environment = environment;
    for (name, origin) in refused {
        r.note(
            Weight::Warning,
            format!("{name} is not set: it would hand over an open descriptor of the caller"),
            Some(&origin),
            Some("grant display.wayland"),
        );
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => pattern == name,
    }
}

/// The folders of [`super::program::SEARCH`] that exist inside.
fn search_path(r: &Resolution<'_>) -> String {
    let there: Vec<&str> = super::program::SEARCH
        .into_iter()
        .filter(|folder| r.fs.look_following(&fixed(folder)).is_ok())
        .collect();
    there.join(":")
}

/// The caller's `$XDG_DATA_DIRS` in so far as the system's folders hold them.
fn data_dirs(r: &Resolution<'_>) -> String {
    let stated = r.facts.environment.get("XDG_DATA_DIRS").map_or("", String::as_str);
    let mut dirs: Vec<&str> = stated
        .split(':')
        .filter(|dir| {
            AbsPath::new(dir).is_ok_and(|path| {
                ["/usr", "/nix/store", "/gnu/store", "/run/current-system"]
                    .iter()
                    .any(|root| path.is_within(&fixed(root)))
            })
        })
        .collect();
    for dir in DATA_DIRS.split(':') {
        if !dirs.iter().any(|known| known.trim_end_matches('/') == dir) {
            dirs.push(dir);
        }
    }
    dirs.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        assert!(
            matches("LC_*", "LC_ALL")
                && !matches("LC_*", "XLC_ALL")
                && !matches("LANG", "LANGUAGE")
        );
    }

    #[test]
    fn nothing_secret_is_passed() {
        for name in [
            "SSH_AUTH_SOCK",
            "GPG_AGENT_INFO",
            "GITHUB_TOKEN",
            "AWS_SECRET_ACCESS_KEY",
            "LD_PRELOAD",
            "LD_LIBRARY_PATH",
            "PYTHONPATH",
            "DBUS_SESSION_BUS_ADDRESS",
            "XAUTHORITY",
            "DISPLAY",
            "WAYLAND_DISPLAY",
            "TMPDIR",
            "GTK_MODULES",
            "GIO_EXTRA_MODULES",
        ] {
            assert!(!PASSED.iter().any(|pattern| matches(pattern, name)), "{name}");
        }
    }
}
