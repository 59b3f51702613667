//! Enums whose variants have a word each.

/// An enum whose variants stand in one list, each with its word: `ALL` in that order, the function that is named
/// gives the word, and so does `Display`.
macro_rules! named {
    ($(#[$about:meta])* $name:ident, $word:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$about])*
        pub enum $name {
            $($(#[$doc])* $variant,)+
        }

        impl $name {
            /// All of them, in order.
            pub const ALL: [$name; [$($text),+].len()] = [$($name::$variant),+];

            /// Its word.
            pub fn $word(self) -> &'static str {
                match self {
                    $($name::$variant => $text,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.$word())
            }
        }
    };
}
pub(crate) use named;
