//! Sound.

use crate::model::plan::Weight;

use super::Resolution;

/// States the sound server's socket.
pub fn resolve(r: &mut Resolution<'_>) {
    let Some(origin) = r.sound() else { return };
    let record = r.settings().audio.record.as_ref().filter(|stated| stated.value);
    let record_origin = record.map(|stated| stated.origin.clone());
    let runtime = r.runtime_dir();
    match r.facts.pulse.clone() {
        Some(socket) => {
            let dest = runtime.child("pulse").child("native");
            if !r.show_socket(&socket, dest.clone(), &origin) {
                return;
            }
            r.environment.insert("PULSE_SERVER".to_owned(), format!("unix:{dest}"));
            if record_origin.is_none() {
                r.note(
                    Weight::Info,
                    "the sound server's socket lets an application record as well as play"
                        .to_owned(),
                    Some(&origin),
                    None,
                );
            }
        }
        None => r.note(
            Weight::Notice,
            "no sound: no sound server is running here".to_owned(),
            Some(&origin),
            Some("start PipeWire's or PulseAudio's server"),
        ),
    }
    if let Some(origin) = record_origin
        && let Some(socket) = r.facts.pipewire.clone()
        && r.show_socket(&socket, runtime.child("pipewire-0"), &origin)
    {
        r.note(
            Weight::Info,
            "PipeWire's own socket gives access to every stream, video too".to_owned(),
            Some(&origin),
            None,
        );
    }
}
