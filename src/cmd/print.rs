//! What the commands have to show.

use std::io::{self, Write};

use crate::report::{Code, Diagnostic};

/// Prints a text to standard output; colours are taken out where nobody sees them.
///
/// # Errors
/// When it cannot be written, as on a full disk. A reader that has read
/// enough and gone, as `head` does, is no error.
pub fn text(text: &str) -> Result<(), Vec<Diagnostic>> {
    write(&mut anstream::stdout(), text)
}

/// Prints a text to the error output. Where that cannot be written either,
/// there is nobody left to tell.
pub fn aside(text: &str) {
    let _ = write(&mut anstream::stderr(), text);
}

/// Prints a value to standard output, one field a line.
///
/// # Errors
/// As [`text`].
pub fn json(value: &serde_json::Value) -> Result<(), Vec<Diagnostic>> {
    text(&format!("{value:#}\n"))
}

fn write(output: &mut impl Write, text: &str) -> Result<(), Vec<Diagnostic>> {
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(vec![
            Diagnostic::error(Code::HostEnvironment, "cannot write the output").because(error),
        ]),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fails(io::ErrorKind);

    impl Write for Fails {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn only_a_reader_that_has_gone_is_no_error() {
        assert!(write(&mut Fails(io::ErrorKind::BrokenPipe), "x").is_ok());
        assert!(write(&mut Fails(io::ErrorKind::StorageFull), "x").is_err());
        let mut taken = Vec::new();
        write(&mut taken, "x").unwrap();
        assert_eq!(taken, b"x");
    }
}
