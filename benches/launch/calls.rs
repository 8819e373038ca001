//! What a system call costs inside.
//!
//! A program times its own calls: bare, in bubblewrap with Flatpak's filter,
//! in bubblewrap with Pinfold's filter, and in Pinfold. All sandboxes are of
//! the same plan, so the files that it opens lie behind the same mounts; what
//! differs is the filter, and that Pinfold has landlock on top of it. Whole
//! programs take turns as launches do, and ratios are taken within a round.

use std::path::Path;

use crate::rounds::{Command, Order, middle};
use crate::{Options, peer};

/// Rounds, whatever the number of launches: each takes a second or two.
const ROUNDS: usize = 31;

/// What was measured.
pub struct Table {
    commands: Vec<String>,
    /// For each call its name and, for each command, nanoseconds by round.
    calls: Vec<(String, Vec<Vec<f64>>)>,
}

/// Measures; the last command is Pinfold.
pub fn measure(options: &Options, program: &Path, manifest: &str) -> Result<Table, String> {
    let words = ["run", "--quiet", manifest].map(str::to_owned).to_vec();
    let pinfold = Command::new("Pinfold", &options.program, words);
    // The first run makes the application's home, which the peers need too.
    pinfold.output()?;
    let mut commands = vec![Command::new("bare", program, Vec::new())];
    if let Some(filter) = &options.flatpak_filter {
        let filter = std::fs::read(filter).map_err(|error| error.to_string())?;
        let mut peer = peer::bubblewrap(&options.program, manifest, &[], Some(&filter))?;
        peer.rename("bubblewrap, Flatpak's filter");
        commands.push(peer);
    }
    let mut peer = peer::bubblewrap(&options.program, manifest, &[], None)?;
    peer.rename("bubblewrap, Pinfold's filter");
    commands.push(peer);
    commands.push(pinfold);

    let mut calls: Vec<(String, Vec<Vec<f64>>)> = Vec::new();
    let mut order = Order::of(commands.len());
    for _ in 0..ROUNDS {
        for &at in order.next() {
            for (row, line) in commands[at].output()?.lines().enumerate() {
                let (name, cost) = line.split_once('\t').ok_or("a line without a figure")?;
                let cost: f64 = cost.parse().map_err(|_| format!("{cost} is no figure"))?;
                if calls.len() == row {
                    calls.push((name.to_owned(), vec![Vec::new(); commands.len()]));
                }
                calls[row].1[at].push(cost);
            }
        }
    }
    let commands = commands.iter().map(|command| command.name().to_owned()).collect();
    Ok(Table { commands, calls })
}

/// How one command's figures stand to another's, round by round.
fn ratio(costs: &[f64], to: &[f64]) -> f64 {
    middle(&costs.iter().zip(to).map(|(cost, to)| cost / to).collect::<Vec<_>>())
}

impl Table {
    /// The table in Markdown: nanoseconds, and Pinfold's ratio to each other.
    pub fn print(&self) {
        println!(
            "\nSystem calls, ns: medians of {ROUNDS} rounds; ratios are medians of each round's.\n"
        );
        let last = self.commands.len() - 1;
        print!("| call |");
        self.commands.iter().for_each(|name| print!(" {name} |"));
        self.commands[..last].iter().for_each(|name| print!(" Pinfold to {name} |"));
        print!("\n|---|");
        println!("{}", "---|".repeat(2 * last + 1));
        for (name, costs) in &self.calls {
            print!("| {name} |");
            costs.iter().for_each(|costs| print!(" {:.0} |", middle(costs)));
            costs[..last]
                .iter()
                .for_each(|costs_to| print!(" {:.2} |", ratio(&costs[last], costs_to)));
            println!();
        }
    }

    /// The same for machines.
    pub fn json(&self) -> serde_json::Value {
        let last = self.commands.len() - 1;
        let rows = self.calls.iter().map(|(name, costs)| {
            let each = costs.iter().zip(&self.commands).map(|(costs_of, command)| {
                serde_json::json!({
                    "command": command,
                    "ns": middle(costs_of),
                    "ratio_of_pinfold": ratio(&costs[last], costs_of),
                })
            });
            serde_json::json!({ "call": name, "commands": each.collect::<Vec<_>>() })
        });
        rows.collect()
    }
}
