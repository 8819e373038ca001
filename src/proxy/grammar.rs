//! What the specification calls a valid name, path and signature.
//!
//! Every text of a message header is held against these before anything is
//! decided on it, so that the rules and the bus read the same thing.

/// The longest bus, interface, error or member name, and the longest signature.
const NAME_MAX: usize = 255;

/// How deep arrays may nest in a signature, and how deep structs may.
const NESTING_MAX: u32 = 32;

/// `:1.42`: what the bus calls a connection.
pub fn is_unique_name(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(':') else { return false };
    text.len() <= NAME_MAX && is_dotted(rest, |first| is_name_character(first, true), true)
}

/// `org.example.Service`: a name that a connection can own.
pub fn is_well_known_name(text: &str) -> bool {
    text.len() <= NAME_MAX
        && is_dotted(text, |first| is_name_character(first, true) && !first.is_ascii_digit(), true)
}

/// Either kind of bus name.
pub fn is_bus_name(text: &str) -> bool {
    is_unique_name(text) || is_well_known_name(text)
}

/// What `arg0namespace` of a match rule may hold: a well-known name that may
/// have but one element.
pub fn is_namespace(text: &str) -> bool {
    is_well_known_name(text)
        || (text.len() <= NAME_MAX
            && text.bytes().next().is_some_and(|first| !first.is_ascii_digit())
            && text.bytes().all(|byte| is_name_character(byte, true)))
}

/// `org.example.Interface`; names of errors obey the same rule.
pub fn is_interface(text: &str) -> bool {
    text.len() <= NAME_MAX
        && is_dotted(
            text,
            |first| is_name_character(first, false) && !first.is_ascii_digit(),
            false,
        )
}

/// The name of a method or signal.
pub fn is_member(text: &str) -> bool {
    text.len() <= NAME_MAX
        && text.bytes().next().is_some_and(|first| !first.is_ascii_digit())
        && text.bytes().all(|byte| is_name_character(byte, false))
}

/// `/org/example/Object`
pub fn is_object_path(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('/') else { return false };
    rest.is_empty()
        || rest
            .split('/')
            .all(|part| !part.is_empty() && part.bytes().all(|byte| is_name_character(byte, false)))
}

/// Two or more elements, none empty, with dots between.
fn is_dotted(text: &str, first: impl Fn(u8) -> bool, hyphen: bool) -> bool {
    let mut parts = 0;
    for part in text.split('.') {
        parts += 1;
        let mut bytes = part.bytes();
        if !bytes.next().is_some_and(&first) || !bytes.all(|byte| is_name_character(byte, hyphen)) {
            return false;
        }
    }
    parts >= 2
}

fn is_name_character(byte: u8, hyphen: bool) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || (hyphen && byte == b'-')
}

/// A sequence of complete types, none nested too deep.
pub fn is_signature(text: &str) -> bool {
    let mut rest = text.as_bytes();
    if rest.len() > NAME_MAX {
        return false;
    }
    while !rest.is_empty() {
        let Some(after) = complete_type(rest, 0, 0) else { return false };
        rest = after;
    }
    true
}

/// Takes one complete type off the front. The depth of the recursion is the
/// depth of the type, which is limited.
fn complete_type(signature: &[u8], arrays: u32, structs: u32) -> Option<&[u8]> {
    let (&code, rest) = signature.split_first()?;
    match code {
        b'v' => Some(rest),
        b'a' if arrays == NESTING_MAX => None,
        b'a' => match rest.split_first() {
            Some((b'{', entry)) => {
                let (&key, value) = entry.split_first()?;
                if !is_basic(key) {
                    return None;
                }
                complete_type(value, arrays + 1, structs)?.strip_prefix(b"}")
            }
            _ => complete_type(rest, arrays + 1, structs),
        },
        b'(' if structs == NESTING_MAX => None,
        b'(' => {
            let mut inner = complete_type(rest, arrays, structs + 1)?;
            loop {
                match inner.strip_prefix(b")") {
                    Some(after) => return Some(after),
                    None => inner = complete_type(inner, arrays, structs + 1)?,
                }
            }
        }
        code if is_basic(code) => Some(rest),
        _ => None,
    }
}

fn is_basic(code: u8) -> bool {
    b"ybnqiuxtdsogh".contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asserts what a check says of each text.
    fn table(name: &str, check: fn(&str) -> bool, good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(check(text), "{name} refuses {text:?}");
        }
        for text in bad {
            assert!(!check(text), "{name} accepts {text:?}");
        }
    }

    #[test]
    fn names_are_told_apart() {
        let long = format!("a.{}", "b".repeat(253));
        let too_long = format!("a.{}", "b".repeat(254));
        table(
            "well-known",
            is_well_known_name,
            &["org.a", "org.a-b._c", "A.B9", &long],
            &[
                "", "org", ".org.a", "org..a", "org.a.", "org.9a", ":1.5", "o rg.a", "org.ä",
                &too_long,
            ],
        );
        table(
            "unique",
            is_unique_name,
            &[":1.5", ":a.b.c", ":1.5-x"],
            &["", ":", ":1", ":1.", "1.5", ":1.5 ", "::1.5"],
        );
        table(
            "interface",
            is_interface,
            &["org.a", "_a._9"],
            &["", "org", "org.a-b", "org.9a", "org.a\n", &too_long],
        );
        table("member", is_member, &["Get", "_9"], &["", "9a", "a.b", "a-b", "Get\0"]);
        table("namespace", is_namespace, &["org", "org.a", "a-b"], &["", "9", "org.", ":1.5"]);
        table(
            "path",
            is_object_path,
            &["/", "/a", "/a/b_9/C", "/9"],
            &["", "a", "//", "/a/", "/a//b", "/a-b", "/a.b", "/a\0"],
        );
    }

    #[test]
    fn signatures_nest_32_deep_and_no_deeper() {
        table(
            "signature",
            is_signature,
            &["", "s", "a{sv}", "(ii)a(sa{ov})", "aas", &"a".repeat(32).add("s"), &nest(32)],
            &["a", "z", "()", "(s", "s)", "{sv}", "a{vs}", "a{s}", "a{sss}", "a{sv", "a(}"],
        );
        assert!(!is_signature(&"a".repeat(33).add("s")));
        assert!(!is_signature(&nest(33)));
        assert!(is_signature(&"s".repeat(255)));
        assert!(!is_signature(&"s".repeat(256)));
    }

    fn nest(depth: usize) -> String {
        format!("{}s{}", "(".repeat(depth), ")".repeat(depth))
    }

    use std::ops::Add as _;
}
