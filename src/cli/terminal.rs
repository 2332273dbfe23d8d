//! What a person at the terminal reads: results on the standard output, complaints beside it.

use std::io::{self, Write};

/// Prints a line or several. A reader that has gone away, as `head` does, is no failure.
pub fn print(text: &str) -> io::Result<()> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Says what went wrong.
pub fn complain(text: &str) {
    // Without a standard error stream there is nobody to tell.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Columns of text, as wide as their widest cell.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<_> = (0..columns)
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max())
        .collect();
    let lines: Vec<_> = rows
        .iter()
        .map(|row| {
            let cells: Vec<_> = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:0$}", width.unwrap_or(0)))
                .collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["slug".into(), "name".into()], vec!["demo-south".into(), "Süd".into()]];
        assert_eq!(table(&rows), "slug        name\ndemo-south  Süd");
    }
}
