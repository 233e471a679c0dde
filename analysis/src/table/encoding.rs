//! The letters of files that were made before UTF-8: Windows-1252 and Vietnamese Windows-1258.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// How bytes stand for letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encoding {
    #[serde(rename = "utf-8")]
    Utf8,
    #[serde(rename = "windows-1252")]
    Windows1252,
    /// Vietnamese: tone marks are letters of their own, put behind the vowel.
    #[serde(rename = "windows-1258")]
    Windows1258,
}

/// 0x80–0x9F; a byte that stands for nothing stays the control character of that number.
const WINDOWS: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}',
    '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

impl Encoding {
    /// By a name or the number of a code page, as files write them.
    pub(super) fn named(name: &str) -> Option<Self> {
        let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        match name.to_ascii_lowercase().as_str() {
            "utf8" | "65001" => Some(Self::Utf8),
            "windows1252" | "cp1252" | "1252" | "iso88591" | "latin1" | "28591" => Some(Self::Windows1252),
            "windows1258" | "cp1258" | "1258" => Some(Self::Windows1258),
            _ => None,
        }
    }

    /// The text in composed letters (NFC); `None` where the bytes are not of this encoding.
    pub(super) fn decode(self, bytes: &[u8]) -> Option<String> {
        if bytes.is_ascii() || self == Self::Utf8 {
            return Some(std::str::from_utf8(bytes).ok()?.nfc().collect());
        }
        Some(bytes.iter().map(|byte| self.letter(*byte)).nfc().collect())
    }

    /// The bytes that a reader for Windows-1252 made this text of.
    pub(super) fn bytes_of_1252(text: &str) -> Option<Vec<u8>> {
        let byte = |letter: char| match u32::from(letter) {
            code @ (0..=0x7f | 0xa0..=0xff) => u8::try_from(code).ok(),
            _ => WINDOWS.iter().zip(0x80_u8..).find(|(known, _)| **known == letter).map(|(_, byte)| byte),
        };
        text.chars().map(byte).collect()
    }

    fn letter(self, byte: u8) -> char {
        match (self, byte) {
            (Self::Windows1258, 0xc3) => 'Ă',
            (Self::Windows1258, 0xcc) => '\u{300}',
            (Self::Windows1258, 0xd0) => 'Đ',
            (Self::Windows1258, 0xd2) => '\u{309}',
            (Self::Windows1258, 0xd5) => 'Ơ',
            (Self::Windows1258, 0xdd) => 'Ư',
            (Self::Windows1258, 0xde) => '\u{303}',
            (Self::Windows1258, 0xe3) => 'ă',
            (Self::Windows1258, 0xec) => '\u{301}',
            (Self::Windows1258, 0xf0) => 'đ',
            (Self::Windows1258, 0xf2) => '\u{323}',
            (Self::Windows1258, 0xf5) => 'ơ',
            (Self::Windows1258, 0xfd) => 'ư',
            (Self::Windows1258, 0xfe) => '₫',
            (Self::Windows1258, 0x8a | 0x8e | 0x9a | 0x9e) => char::from(byte),
            (_, 0x80..=0x9f) => WINDOWS[usize::from(byte - 0x80)],
            _ => char::from(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vietnamese_tone_marks_join_the_vowel_before_them() {
        // "Người Tày" as Windows-1258 writes it: ư, then ơ with a grave mark.
        let bytes = b"Ng\xfd\xf5\xcci Ta\xccy";
        assert_eq!(Encoding::Windows1258.decode(bytes).as_deref(), Some("Người Tày"));
        assert_eq!(Encoding::Windows1252.decode(b"caf\xe9 \x80").as_deref(), Some("café €"));
        assert_eq!(Encoding::Utf8.decode(b"caf\xe9"), None);
    }

    #[test]
    fn what_was_read_as_western_can_be_read_again_as_vietnamese() {
        let all: Vec<u8> = (0..=255).collect();
        let western: String = all.iter().map(|byte| Encoding::Windows1252.letter(*byte)).collect();
        assert_eq!(Encoding::bytes_of_1252(&western), Some(all));
        assert_eq!(Encoding::bytes_of_1252("ươ"), None);
    }
}
