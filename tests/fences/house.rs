//! All sources of all crates as one graph: which file names something of which other.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use super::source::{self, Named};

type Module = Vec<String>;

/// A crate whose files are read.
pub(crate) struct Crate {
    /// Its name in code, such as `lares_core`.
    pub(crate) name: String,
    /// Its folder of sources.
    pub(crate) src: PathBuf,
    /// The room that it is; none where its modules are rooms.
    pub(crate) room: Vec<String>,
}

/// The rooms as their files declare them, without tests.
pub(crate) struct House {
    /// Every module that has a file.
    pub(crate) files: BTreeMap<Module, PathBuf>,
    /// What each of these files names.
    pub(crate) named: BTreeMap<Module, BTreeSet<Named>>,
}

/// All `crates` as one house.
pub(crate) fn read(crates: &[Crate]) -> House {
    let mut house = House {
        files: BTreeMap::new(),
        named: BTreeMap::new(),
    };
    for one in crates {
        house.add(one, crates);
    }
    house
}

impl House {
    fn add(&mut self, one: &Crate, crates: &[Crate]) {
        let root = one.room.len();
        let mut open = vec![(one.room.clone(), one.src.join("lib.rs"))];
        while let Some((module, file)) = open.pop() {
            let text =
                fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
            let source = source::read(&module, root, &text);
            for child in source.children.difference(&source.of_tests) {
                let path = one.src.join(child[root..].join("/"));
                let files = [path.with_extension("rs"), path.join("mod.rs")];
                let file = files.into_iter().find(|file| file.exists());
                let file = file.unwrap_or_else(|| panic!("no file of module {}", child.join("::")));
                open.push((child.clone(), file));
            }
            let named = source.named.into_iter().map(|named| placed(named, crates));
            self.named.entry(module.clone()).or_default().extend(named);
            self.files.entry(module).or_insert(file);
        }
    }

    /// `path` without the names that the root of a crate gives to what it imports of other crates.
    pub(crate) fn meant(&self, path: &[String]) -> Module {
        let through = |at: usize| {
            let (root, rest) = path.split_at(at);
            let name = rest.first()?;
            let there = self.files.contains_key(&path[..=at]);
            let mut imports = self.named.get(root).filter(|_| !there)?.iter();
            let import = imports.find(|named| named.ours && named.alias.as_ref() == Some(name))?;
            let elsewhere = !import.path.starts_with(root);
            elsewhere.then(|| [&import.path, &rest[1..]].concat())
        };
        // The root of a crate is the house or one room.
        through(1).unwrap_or_else(|| path.to_vec())
    }

    /// The module that has `path`: through modules first, then through what they import or hand on.
    fn owner(&self, path: &[String], patience: usize) -> Module {
        let mut module = Module::new();
        for (i, name) in path.iter().enumerate() {
            let deeper = [&module[..], std::slice::from_ref(name)].concat();
            if self.files.contains_key(&deeper) {
                module = deeper;
                continue;
            }
            let imported = self.named[&module].iter().find(|named| {
                named.ours && named.module == module && named.alias.as_ref() == Some(name)
            });
            if let Some(named) = imported.filter(|_| patience > 0) {
                return self.owner(&[&named.path[..], &path[i + 1..]].concat(), patience - 1);
            }
            break;
        }
        module
    }

    /// From each file to those that it names, but not to the ones above it: a child may use what its
    /// parent module has.
    pub(crate) fn arrows(&self) -> BTreeMap<&Module, BTreeSet<Module>> {
        let to = |from: &Module, named: &Named| {
            let owner = self.owner(&named.path, 8);
            (!from.starts_with(&owner)).then_some(owner)
        };
        self.named
            .iter()
            .map(|(from, named)| {
                let ours = named.iter().filter(|named| named.ours);
                (from, ours.filter_map(|named| to(from, named)).collect())
            })
            .collect()
    }

    /// Files that import each other in a circle: each group as large as it is, in order.
    pub(crate) fn circles(&self) -> BTreeSet<Vec<String>> {
        let arrows = self.arrows();
        let reached: BTreeMap<&Module, BTreeSet<&Module>> = arrows
            .keys()
            .map(|from| (*from, reached(&arrows, from)))
            .collect();
        let circle = |of: &&Module| -> Vec<String> {
            let group = reached[*of]
                .iter()
                .filter(|other| reached[**other].contains(*of));
            group.map(|module| module.join("::")).collect()
        };
        arrows
            .keys()
            .map(circle)
            .filter(|group| group.len() > 1)
            .collect()
    }
}

/// What is named of another crate of ours is ours, and is named from the house's root.
fn placed(mut named: Named, crates: &[Crate]) -> Named {
    let first = named.path.first().filter(|_| !named.ours);
    if let Some(one) = first.and_then(|first| crates.iter().find(|one| one.name == *first)) {
        named.path = [&one.room, &named.path[1..]].concat();
        named.ours = true;
    }
    named
}

/// Everything that can be reached from `from`, itself only by a circle.
fn reached<'a>(
    arrows: &'a BTreeMap<&Module, BTreeSet<Module>>,
    from: &Module,
) -> BTreeSet<&'a Module> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&Module> = arrows[from].iter().collect();
    while let Some(module) = open.pop() {
        if found.insert(module) {
            open.extend(&arrows[module]);
        }
    }
    found
}
