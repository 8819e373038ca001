//! Match rules: what is passed on has known keys only, says what the client
//! wrote, and is its own plain form.

use pinfold::proxy::matching::rewrite;

pub fn holds(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(plain) = rewrite(text) else { return };
    assert_eq!(rewrite(&plain), Ok(plain.clone()), "{text:?}");
    let written = pairs(&plain).unwrap_or_else(|| panic!("{plain:?} is no rule"));
    assert_eq!(Some(&written), pairs(text).as_ref(), "{text:?} and {plain:?}");
    for (key, _) in &written {
        assert!(is_known(key), "{key:?} in {plain:?}");
    }
    assert!(plain.len() <= 4 * text.len() + 4, "{} bytes of {}", plain.len(), text.len());
    means_the_same(text, &plain);
}

/// A rule means to zbus what the one that was written means, where it reads
/// both.
fn means_the_same(text: &str, plain: &str) {
    if let (Ok(before), Ok(after)) =
        (zbus::MatchRule::try_from(text), zbus::MatchRule::try_from(plain))
    {
        assert_eq!(before.to_string(), after.to_string());
    }
}

fn is_known(key: &str) -> bool {
    let argument = key.strip_prefix("arg").map(|rest| rest.strip_suffix("path").unwrap_or(rest));
    let number = argument.and_then(|rest| rest.parse::<u8>().ok());
    [
        "type",
        "sender",
        "destination",
        "interface",
        "member",
        "path",
        "path_namespace",
        "arg0namespace",
    ]
    .contains(&key)
        || number.is_some_and(|number| number <= 63)
}

/// The keys and values of a rule as the reference bus takes it apart: white
/// space before a key and around `=` is skipped; outside of apostrophes a
/// backslash is one unless an apostrophe follows; a comma ends the value.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let white = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r');
    let mut pairs = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(white);
        if rest.is_empty() {
            return Some(pairs);
        }
        let end = rest.find(|c| c == '=' || white(c))?;
        let key = &rest[..end];
        rest = rest[end..].trim_start_matches(white).strip_prefix('=')?;
        rest = rest.trim_start_matches(white);
        let mut value = String::new();
        let mut quoted = false;
        let mut letters = rest.char_indices().peekable();
        let mut end = rest.len();
        while let Some((at, c)) = letters.next() {
            match c {
                '\'' => quoted = !quoted,
                ',' if !quoted => {
                    end = at;
                    break;
                }
                '\\' if !quoted && letters.next_if(|(_, next)| *next == '\'').is_some() => {
                    value.push('\'');
                }
                other => value.push(other),
            }
        }
        if quoted || key.is_empty() {
            return None;
        }
        pairs.push((key.to_owned(), value));
        rest = rest[end..].strip_prefix(',').unwrap_or("");
    }
}
