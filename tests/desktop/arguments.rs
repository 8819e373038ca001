//! Files that are named for one run: this one is shown, its neighbour is not.

use std::fs;
use std::path::Path;

use crate::desk::Desk;
use crate::run::{self, App};
use crate::{Outcome, tests};

tests! {
    a_picture_for_eog needs ["eog"],
    a_document_for_evince needs ["evince"],
}

/// The colour of everything that is to be seen in the files.
pub const COLOUR: [u8; 3] = [18, 200, 58];

/// Opens a file of a folder that the manifest does not grant, and again with
/// handing over turned off.
fn check(desk: &Desk, id: &str, class: &str, file: &str, content: &[u8]) -> Outcome {
    for forward in [true, false] {
        let home = desk.home();
        let folder = home.join("Papers");
        fs::create_dir(&folder).map_err(|error| error.to_string())?;
        let neighbour = format!("other-{file}");
        for name in [file, &neighbour] {
            fs::write(folder.join(name), content).map_err(|error| error.to_string())?;
        }
        let named = format!("Papers/{file}");
        let mut arguments = vec!["-q"];
        arguments.extend((!forward).then_some("--no-forward"));
        arguments.extend([id, &named]);
        let mut app = App::inside(desk, &home, &arguments);
        let window = app.window(desk, &[class], if forward { file } else { "" })?;
        let picture = run::picture(desk, &window)?;
        let share = picture.share_of(COLOUR);
        if (share > 100) != forward {
            return Err(format!(
                "handed over is {forward}, yet {share} thousandths are its colour"
            ));
        }
        let inside = app.place(&folder)?;
        if inside.join(file).exists() != forward || inside.join(&neighbour).exists() {
            return Err(format!("handed over is {forward}, yet inside are {:?}", names(&inside)));
        }
        if forward && fs::OpenOptions::new().write(true).open(inside.join(file)).is_ok() {
            return Err("the file can be written to".to_owned());
        }
        drop(app);
        run::all_closed(desk)?;
    }
    Ok(())
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn a_picture_for_eog(desk: &Desk) -> Outcome {
    let mut ppm = b"P6 400 300 255\n".to_vec();
    ppm.extend(COLOUR.repeat(400 * 300));
    check(desk, "org.gnome.eog", "Eog", "green.ppm", &ppm)
}

fn a_document_for_evince(desk: &Desk) -> Outcome {
    check(desk, "org.gnome.Evince", "Evince", "green.pdf", &one_page())
}

/// A document of one page, all in the colour.
pub fn one_page() -> Vec<u8> {
    let [red, green, blue] = COLOUR.map(|part| f32::from(part) / 255.0);
    let drawing = format!("{red:.4} {green:.4} {blue:.4} rg 0 0 300 300 re f\n");
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 300] /Contents 4 0 R >>".to_owned(),
        format!("<< /Length {} >>\nstream\n{drawing}endstream", drawing.len()),
    ];
    let mut text = "%PDF-1.4\n".to_owned();
    let mut places = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        places.push(text.len());
        text.push_str(&format!("{} 0 obj\n{object}\nendobj\n", index + 1));
    }
    let table = text.len();
    text.push_str(&format!("xref\n0 {}\n0000000000 65535 f \n", places.len() + 1));
    for place in &places {
        text.push_str(&format!("{place:010} 00000 n \n"));
    }
    let size = places.len() + 1;
    text.push_str(&format!("trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n"));
    text.into_bytes()
}
