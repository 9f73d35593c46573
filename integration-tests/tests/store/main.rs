//! The store on both databases: the same tests, each with a database of its own.

#[cfg(test)]
mod definitions;
#[cfg(test)]
mod fixture;
