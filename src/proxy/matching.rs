//! Match rules: read by a strict grammar and written anew, so that the bus
//! sees what was judged and nothing else.
//!
//! `eavesdrop` is refused whatever its value, and so is every key that is not
//! listed here, whatever its case or the white space around it.

use std::fmt::Write;

use super::grammar;

/// The longest rule, as it came and as it goes on; the reference implementation
/// has the same limit.
const LENGTH_MAX: usize = 1024;

/// The last argument that a rule can look at.
const ARGUMENT_MAX: u8 = 63;

/// Why a text is no match rule that may be passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MatchError {
    /// Not of the form `key='value',key='value'`.
    #[error("the match rule is not of the form key='value',...")]
    Syntax,
    /// A key that does not exist.
    #[error("the match rule has an unknown key")]
    Key,
    /// A key that comes twice, or two that exclude each other.
    #[error("the match rule has a key twice")]
    Twice,
    /// A value that its key cannot have.
    #[error("the match rule has a value that is not valid")]
    Value,
    /// Hearing what is meant for others.
    #[error("eavesdropping is not allowed")]
    Eavesdrop,
    /// Over 1,024 bytes.
    #[error("the match rule is too long")]
    Length,
}

/// Reads a match rule and writes it in its one plain form.
///
/// # Errors
/// When it is not one, or asks for what nobody behind a filter gets.
pub fn rewrite(text: &str) -> Result<String, MatchError> {
    if text.len() > LENGTH_MAX {
        return Err(MatchError::Length);
    }
    let mut seen: Vec<&str> = Vec::new();
    let mut written = String::with_capacity(text.len() + 16);
    let mut rest = text.trim_start_matches(' ');
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=').ok_or(MatchError::Syntax)?;
        let (value, after) = value(after)?;
        check(key, &value)?;
        // `path` and `path_namespace` exclude each other.
        let slot = if key == "path_namespace" { "path" } else { key };
        if seen.contains(&slot) {
            return Err(MatchError::Twice);
        }
        seen.push(slot);
        let comma = if written.is_empty() { "" } else { "," };
        // Writing to a String does not fail.
        let _ = write!(written, "{comma}{key}='{}'", value.replace('\'', r"'\''"));
        rest = match after.strip_prefix(',') {
            Some(next) => next.trim_start_matches(' '),
            None if after.is_empty() => after,
            None => return Err(MatchError::Syntax),
        };
    }
    // Apostrophes and what stands for them have made it longer.
    if written.len() > LENGTH_MAX { Err(MatchError::Length) } else { Ok(written) }
}

/// Takes a value off the front: runs in apostrophes, plain runs, and `\'`.
fn value(text: &str) -> Result<(String, &str), MatchError> {
    let mut value = String::new();
    let mut rest = text;
    loop {
        if let Some(quoted) = rest.strip_prefix('\'') {
            let (run, after) = quoted.split_once('\'').ok_or(MatchError::Syntax)?;
            value.push_str(run);
            rest = after;
        } else if let Some(after) = rest.strip_prefix(r"\'") {
            value.push('\'');
            rest = after;
        } else {
            let Some(next) = rest.chars().next().filter(|&next| next != ',') else { break };
            // Outside of apostrophes stands only what names and paths are
            // made of.
            if !(next.is_ascii_alphanumeric() || "._-:/".contains(next)) {
                return Err(MatchError::Syntax);
            }
            value.push(next);
            rest = rest.get(next.len_utf8()..).unwrap_or_default();
        }
    }
    Ok((value, rest))
}

fn check(key: &str, value: &str) -> Result<(), MatchError> {
    let valid = match key {
        "type" => matches!(value, "signal" | "method_call" | "method_return" | "error"),
        "sender" | "destination" => grammar::is_bus_name(value),
        "interface" => grammar::is_interface(value),
        "member" => grammar::is_member(value),
        "path" | "path_namespace" => grammar::is_object_path(value),
        "arg0namespace" => grammar::is_namespace(value),
        _ if key.trim().eq_ignore_ascii_case("eavesdrop") => return Err(MatchError::Eavesdrop),
        _ => {
            let argument = key.strip_prefix("arg").ok_or(MatchError::Key)?;
            let number = argument.strip_suffix("path").unwrap_or(argument);
            let known = number
                .parse()
                .is_ok_and(|parsed: u8| parsed <= ARGUMENT_MAX && parsed.to_string() == number);
            if !known {
                return Err(MatchError::Key);
            }
            true
        }
    };
    if valid { Ok(()) } else { Err(MatchError::Value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_comes_out_in_its_plain_form() {
        for (text, plain) in [
            ("", ""),
            ("type=signal", "type='signal'"),
            ("type='signal', member=Foo", "type='signal',member='Foo'"),
            ("  type='signal',", "type='signal'"),
            ("path='/',arg0='a,b=c'", "path='/',arg0='a,b=c'"),
            (r"arg0='it'\''s'", r"arg0='it'\''s'"),
            (r"arg0=\'", r"arg0=''\'''"),
            ("arg63path='/x/',arg0namespace='org'", "arg63path='/x/',arg0namespace='org'"),
            ("sender=':1.5',destination='org.a'", "sender=':1.5',destination='org.a'"),
            ("path_namespace='/a',interface=org.i", "path_namespace='/a',interface='org.i'"),
            ("arg0=',eavesdrop=true'", "arg0=',eavesdrop=true'"),
        ] {
            let written = rewrite(text);
            assert_eq!(written.as_deref(), Ok(plain), "{text}");
            assert_eq!(rewrite(plain).as_deref(), Ok(plain), "{plain} is its own plain form");
        }
    }

    #[test]
    fn eavesdropping_is_refused_in_every_spelling() {
        for key in [
            "eavesdrop",
            "EAVESDROP",
            "Eavesdrop",
            "eavesdrop ",
            "eavesdrop\t",
            "\teavesdrop",
            "eavesdrop\r\n",
        ] {
            for value in ["true", "'true'", "'false'", "''", "'t''rue'"] {
                for before in ["", "type='signal',", "type='signal', ", "arg0='',"] {
                    let text = format!("{before}{key}={value}");
                    assert_eq!(rewrite(&text), Err(MatchError::Eavesdrop), "{text:?}");
                }
            }
        }
    }

    #[test]
    fn what_two_readers_could_take_differently_is_refused() {
        for (text, error) in [
            ("type", MatchError::Syntax),
            ("type='signal", MatchError::Syntax),
            ("type='signal'x y", MatchError::Syntax),
            ("type='signal' ,member='a'", MatchError::Syntax),
            ("arg0=a b", MatchError::Syntax),
            (r"arg0=a\b", MatchError::Syntax),
            ("type= 'signal'", MatchError::Syntax),
            ("type ='signal'", MatchError::Key),
            ("Type='signal'", MatchError::Key),
            ("\ttype='signal'", MatchError::Key),
            ("arg='x'", MatchError::Key),
            ("arg64='x'", MatchError::Key),
            ("arg00='x'", MatchError::Key),
            ("arg+1='x'", MatchError::Key),
            ("arg0pathpath='x'", MatchError::Key),
            ("arg1namespace='org.a'", MatchError::Key),
            ("=x", MatchError::Key),
            (",", MatchError::Syntax),
            ("type='signal',,member='a'", MatchError::Key),
            ("type='signal',type='error'", MatchError::Twice),
            ("path='/',path_namespace='/'", MatchError::Twice),
            ("type='Signal'", MatchError::Value),
            ("type=''", MatchError::Value),
            ("sender='x'", MatchError::Value),
            ("interface='x'", MatchError::Value),
            ("member='a.b'", MatchError::Value),
            ("path='x'", MatchError::Value),
            ("arg0namespace='org.'", MatchError::Value),
        ] {
            assert_eq!(rewrite(text), Err(error), "{text:?}");
        }
        assert!(rewrite(&format!("arg0='{}'", "x".repeat(1024 - 7))).is_ok());
        assert_eq!(rewrite(&format!("arg0='{}'", "x".repeat(1024 - 6))), Err(MatchError::Length));
        // So is one that has grown too long on the way.
        assert_eq!(rewrite(&format!("arg0=a{}", r"\'".repeat(400))), Err(MatchError::Length));
        assert_eq!(rewrite(&format!("arg0={}", "x".repeat(1024 - 5))), Err(MatchError::Length));
    }
}
