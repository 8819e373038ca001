//! Whether one path of a manifest can lie in another, as far as that can be
//! told without a host. Where it cannot, the answer is yes: a narrower grant
//! follows from that.

use crate::model::path::{Base, Glob, PathExpr};

/// Folders at the root in which no account has its home.
const WITHOUT_HOMES: [&str; 18] = [
    "bin", "boot", "dev", "etc", "gnu", "lib", "lib64", "media", "mnt", "nix", "opt", "proc",
    "run", "sbin", "srv", "sys", "tmp", "usr",
];

/// Where a path lies in the home on a host that keeps to the defaults; none
/// for folders of xdg words, whose place is the person's choice.
fn in_home(expr: &PathExpr) -> Option<String> {
    let start = match expr.base {
        Base::Home => "",
        Base::Config => ".config",
        Base::Data => ".local/share",
        Base::State => ".local/state",
        Base::Cache => ".cache",
        Base::Root | Base::User(_) => return None,
    };
    match (start, expr.rest.as_str()) {
        ("", rest) => Some(rest.to_owned()),
        (start, "") => Some(start.to_owned()),
        (start, rest) => Some(format!("{start}/{rest}")),
    }
}

/// Whether a path of the root can be a home, lie in one or hold one.
fn meets_homes(expr: &PathExpr) -> bool {
    let mut elements = expr.rest.split('/');
    match elements.next() {
        Some("var") => elements.next().is_none_or(|name| name == "home" || Glob::is_pattern(name)),
        Some(first) => !WITHOUT_HOMES.contains(&first),
        None => true,
    }
}

/// Whether `inner`, or something that it matches, can be at or beneath
/// `outer`, or something that it matches.
pub fn may_hold(outer: &PathExpr, inner: &PathExpr) -> bool {
    if outer.base == inner.base {
        return within(&outer.rest, &inner.rest);
    }
    if let (Some(outer), Some(inner)) = (in_home(outer), in_home(inner)) {
        return within(&outer, &inner);
    }
    let hidden = |rest: Option<String>| rest.is_some_and(|rest| rest.starts_with('.'));
    match (outer.base, inner.base) {
        (Base::Root, _) => meets_homes(outer),
        (_, Base::Root) => meets_homes(inner),
        (Base::User(_), Base::User(_)) => false,
        // A folder of the person's choice is not a hidden one.
        (Base::User(_), _) => !hidden(in_home(inner)),
        _ => !hidden(in_home(outer)),
    }
}

/// Whether only a choice of the person could put the one into the other: a
/// folder of an xdg word into a folder of the home that was named by path.
pub fn by_choice(outer: &PathExpr, inner: &PathExpr) -> bool {
    match (outer.base, inner.base) {
        (Base::Home, Base::User(_)) => {
            !outer.rest.is_empty() && !outer.rest.split('/').any(Glob::is_pattern)
        }
        (Base::User(_), Base::Home) => true,
        _ => false,
    }
}

fn within(outer: &str, inner: &str) -> bool {
    if outer.is_empty() {
        return true;
    }
    let mut elements = inner.split('/').filter(|element| !element.is_empty());
    outer.split('/').all(|wanted| {
        elements.next().is_some_and(|element| {
            wanted == element
                || Glob::matches(wanted, element)
                || (Glob::is_pattern(element)
                    && (Glob::is_pattern(wanted) || Glob::matches(element, wanted)))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(outer: &str, inner: &str) -> bool {
        may_hold(&PathExpr::parse(outer).unwrap(), &PathExpr::parse(inner).unwrap())
    }

    #[test]
    fn holding() {
        for (outer, inner) in [
            ("~", "~/a"),
            ("~/*", "~/a/b"),
            ("~/a*", "~/ab"),
            ("~/ab", "~/a*"),
            ("~/*", "xdg-music"),
            ("xdg-music", "~/a"),
            ("/usr", "/usr/bin/x"),
            ("/home/ada", "~/x"),
            ("/data", "xdg-config"),
            ("~", "/home/ada/x"),
            ("/var", "~/x"),
            ("~/.config", "xdg-config/x"),
            ("xdg-config", "~/.config/x"),
        ] {
            assert!(holds(outer, inner), "{outer} {inner}");
        }
        for (outer, inner) in [
            ("~/*", "~/.a"),
            ("~/a", "~"),
            ("~/a", "~/ab"),
            ("~/.config", "xdg-music"),
            ("~/a", "/srv"),
            ("/srv", "~/a"),
            ("/var/lib", "~/a"),
            ("xdg-music", "xdg-videos"),
            ("xdg-config/x", "~/.config/y"),
            ("xdg-config", "xdg-data/x"),
        ] {
            assert!(!holds(outer, inner), "{outer} {inner}");
        }
    }
}
