//! Clients of the protocols by which a browser is asked what it does.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode};
use serde_json::{Value, json};

use crate::desk::wait_for;

/// How long one answer may take on a busy machine.
const ANSWER: Duration = Duration::from_secs(30);

/// What a browser says, read in the background so that waiting has an end.
fn pump(mut from: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (to, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 65536];
        while let Ok(length) = from.read(&mut buffer) {
            if length == 0 || to.send(buffer[..length].to_vec()).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Bytes that have come, and those that are still to.
struct Incoming {
    receiver: Receiver<Vec<u8>>,
    bytes: Vec<u8>,
}

impl Incoming {
    fn new(from: impl Read + Send + 'static) -> Incoming {
        Incoming { receiver: pump(from), bytes: Vec::new() }
    }

    fn more(&mut self) -> Result<(), String> {
        let bytes = self.receiver.recv_timeout(ANSWER);
        self.bytes.extend(bytes.map_err(|_| "the browser does not answer".to_owned())?);
        Ok(())
    }

    /// All before a mark, which is taken out too.
    fn until(&mut self, mark: u8) -> Result<Vec<u8>, String> {
        loop {
            if let Some(at) = self.bytes.iter().position(|byte| *byte == mark) {
                let mut taken: Vec<u8> = self.bytes.drain(..=at).collect();
                taken.pop();
                return Ok(taken);
            }
            self.more()?;
        }
    }

    fn take(&mut self, length: usize) -> Result<Vec<u8>, String> {
        while self.bytes.len() < length {
            self.more()?;
        }
        Ok(self.bytes.drain(..length).collect())
    }
}

fn parsed(bytes: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("the browser said no JSON: {error}"))
}

/// The DevTools protocol of Chromium over `--remote-debugging-pipe`: messages
/// that end in a zero byte, on descriptors 3 and 4 of the browser.
pub struct DevTools {
    to: File,
    from: Incoming,
    last: u64,
}

impl DevTools {
    /// Makes the two pipes, `to-browser` and `from-browser`, in a folder.
    pub fn in_folder(folder: &Path) -> Result<DevTools, String> {
        let pipe = |name: &str| -> Result<File, String> {
            let path = folder.join(name);
            rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            // For both, so that opening does not wait for the other end.
            let opened = fs::OpenOptions::new().read(true).write(true).open(&path);
            opened.map_err(|error| format!("{}: {error}", path.display()))
        };
        let to = pipe("to-browser")?;
        Ok(DevTools { to, from: Incoming::new(pipe("from-browser")?), last: 0 })
    }

    /// Calls a method and gives its result.
    pub fn call(
        &mut self,
        method: &str,
        parameters: Value,
        session: Option<&str>,
    ) -> Result<Value, String> {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": parameters });
        if let Some(session) = session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.to.write_all(&bytes).map_err(|error| error.to_string())?;
        loop {
            // Events come in between.
            let answer = parsed(&self.from.until(0)?)?;
            if answer["id"] == self.last {
                return match answer.get("result") {
                    Some(result) => Ok(result.clone()),
                    None => Err(format!("{method}: {answer}")),
                };
            }
        }
    }

    /// Opens a page in a window and gives the session that speaks with it.
    pub fn open(&mut self, address: &str) -> Result<String, String> {
        let target = self.call("Target.createTarget", json!({ "url": address }), None)?;
        let parameters = json!({ "targetId": target["targetId"], "flatten": true });
        let session = self.call("Target.attachToTarget", parameters, None)?;
        Ok(session["sessionId"].as_str().unwrap_or_default().to_owned())
    }

    /// Waits until the text of a page holds something; gives the text.
    pub fn text(&mut self, session: &str, holds: &str) -> Result<String, String> {
        let mut told = Ok(String::new());
        wait_for(ANSWER, || {
            let expression = json!({ "expression": "document.body.innerText" });
            told = self
                .call("Runtime.evaluate", expression, Some(session))
                .map(|answer| answer["result"]["value"].as_str().unwrap_or_default().to_owned());
            told.as_ref().map_or(true, |text| text.contains(holds)).then_some(())
        });
        told
    }
}

/// The Marionette protocol of Firefox, version 3: `LENGTH:JSON` over loopback.
pub struct Marionette {
    to: TcpStream,
    from: Incoming,
    last: u64,
}

impl Marionette {
    /// Waits until Firefox has written its port into its profile, and begins a
    /// session.
    pub fn of_profile(profile: &Path) -> Result<Marionette, String> {
        let port = wait_for(ANSWER, || {
            let text = fs::read_to_string(profile.join("MarionetteActivePort")).ok()?;
            text.trim().parse::<u16>().ok()
        });
        let port = port.ok_or("Firefox does not listen")?;
        let to = TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.to_string())?;
        let from = Incoming::new(to.try_clone().map_err(|error| error.to_string())?);
        let mut marionette = Marionette { to, from, last: 0 };
        let hello = marionette.message()?;
        if hello["marionetteProtocol"] != 3 {
            return Err(format!("another protocol: {hello}"));
        }
        marionette.call("WebDriver:NewSession", json!({}))?;
        Ok(marionette)
    }

    fn message(&mut self) -> Result<Value, String> {
        let length = String::from_utf8_lossy(&self.from.until(b':')?).into_owned();
        let length = length.parse().map_err(|_| format!("no length: {length:?}"))?;
        parsed(&self.from.take(length)?)
    }

    /// Calls a command and gives its result.
    pub fn call(&mut self, command: &str, parameters: Value) -> Result<Value, String> {
        self.last += 1;
        let message = json!([0, self.last, command, parameters]).to_string();
        let message = format!("{}:{message}", message.len());
        self.to.write_all(message.as_bytes()).map_err(|error| error.to_string())?;
        let answer = self.message()?;
        match &answer {
            Value::Array(parts) if parts.len() == 4 && parts[2].is_null() => Ok(parts[3].clone()),
            _ => Err(format!("{command}: {answer}")),
        }
    }
}
