//! Files packed into one zip with the same bytes each time.

use std::io::{Cursor, Write as _};
use zip::write::SimpleFileOptions;

#[derive(Debug, thiserror::Error)]
pub enum PackError {
    #[error("the archive could not be written: {0}")]
    Zip(#[from] zip::result::ZipError),
    #[error("the archive could not be written: {0}")]
    Write(#[from] std::io::Error),
}

/// Packs `(name, content)` in the order given; the date of every entry is 1980-01-01.
pub fn pack(files: &[(String, Vec<u8>)]) -> Result<Vec<u8>, PackError> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options =
        SimpleFileOptions::default().last_modified_time(zip::DateTime::default()).unix_permissions(0o644);
    for (name, content) in files {
        // A picture is compressed already.
        let is_picture = name.ends_with(".png");
        let method =
            if is_picture { zip::CompressionMethod::Stored } else { zip::CompressionMethod::Deflated };
        archive.start_file(name.as_str(), options.compression_method(method))?;
        archive.write_all(content)?;
    }
    Ok(archive.finish()?.into_inner())
}
