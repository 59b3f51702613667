//! Colours that colour-blind people can tell apart (Okabe and Ito, 2008), and what each means.

/// A colour as red, green, blue.
pub type Rgb = (u8, u8, u8);

/// Orange.
pub const ORANGE: Rgb = (0xE6, 0x9F, 0x00);
/// Sky blue.
pub const SKY: Rgb = (0x56, 0xB4, 0xE9);
/// Bluish green.
pub const GREEN: Rgb = (0x00, 0x9E, 0x73);
/// Yellow.
pub const YELLOW: Rgb = (0xF0, 0xE4, 0x42);
/// Blue.
pub const BLUE: Rgb = (0x00, 0x72, 0xB2);
/// Vermillion.
pub const VERMILLION: Rgb = (0xD5, 0x5E, 0x00);
/// Reddish purple.
pub const PURPLE: Rgb = (0xCC, 0x79, 0xA7);
/// Black; on a dark ground, white.
pub const BLACK: Rgb = (0x00, 0x00, 0x00);

/// `#rrggbb`.
pub fn hex((r, g, b): Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}
