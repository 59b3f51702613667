//! Enums whose variants have a word each.

/// An enum whose variants stand in one list, each with its word: `ALL` and `WORDS` in that order, the function that is named
/// gives the word, and so does `Display`; `from_word` finds the variant. What such an enum can always do (be copied,
/// compared, ordered as it is listed) is derived here; what only some can is derived where they are.
macro_rules! named {
    ($(#[$about:meta])* $name:ident, $word:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$doc])* $variant,)+
        }

        impl $name {
            /// All of them, in order.
            pub const ALL: [$name; [$($text),+].len()] = [$($name::$variant),+];

            /// Their words, in the same order.
            pub const WORDS: [&'static str; $name::ALL.len()] = [$($text),+];

            /// Its word.
            pub fn $word(self) -> &'static str {
                match self {
                    $($name::$variant => $text,)+
                }
            }

            /// The one with this word.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|one| one.$word() == word)
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
