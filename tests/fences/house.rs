//! All sources of the crate as a graph: which file names something of which other.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use super::source::{self, Named};

type Module = Vec<String>;

/// The crate as its files declare it, without tests.
pub(crate) struct House {
    /// Every module that has a file.
    pub(crate) files: BTreeMap<Module, PathBuf>,
    /// What each of these files names.
    pub(crate) named: BTreeMap<Module, BTreeSet<Named>>,
}

/// The crate whose root file is `src/lib.rs`.
pub(crate) fn read(src: &Path) -> House {
    let mut house = House {
        files: BTreeMap::new(),
        named: BTreeMap::new(),
    };
    let mut open = vec![(Vec::new(), src.join("lib.rs"))];
    while let Some((module, file)) = open.pop() {
        let text = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let source = source::read(&module, &text);
        for child in source.children.difference(&source.of_tests) {
            let path = src.join(child.join("/"));
            let files = [path.with_extension("rs"), path.join("mod.rs")];
            let file = files.into_iter().find(|file| file.exists());
            let file = file.unwrap_or_else(|| panic!("no file of module {}", child.join("::")));
            open.push((child.clone(), file));
        }
        house.named.insert(module.clone(), source.named);
        house.files.insert(module, file);
    }
    house
}

impl House {
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
