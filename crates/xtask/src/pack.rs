//! Makes a wasm module compress better without changing what it does: functions that are the same
//! become one, and functions that are alike stand side by side, where the compressor finds what
//! they share at a short distance. wasm-opt's passes were measured too: every one that rewrites
//! code makes the compressed module larger, because the compiler's code is so regular.

use anyhow::{Context, Result};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::convert::Infallible;
use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{CodeSection, FunctionSection, Module};
use wasmparser::{
    CodeSectionReader, CustomSectionReader, FunctionBody, FunctionSectionReader, Parser, Payload,
    TypeRef,
};

/// How many bytes of code are compared as one piece.
const PIECE: usize = 6;
/// How many pieces of a function are compared at most.
const PIECES: usize = 200;
/// A piece that more functions have than this says nothing.
const COMMON: usize = 400;
/// Below this share of common pieces two functions are not alike.
const ALIKE: f64 = 0.02;

/// The module with merged and reordered functions, without custom sections.
pub fn pack(module: &[u8]) -> Result<Vec<u8>> {
    let mut current = module.to_vec();
    // Two functions become the same when the functions that they call did.
    loop {
        let functions = Functions::read(&current)?;
        let (order, representatives) = functions.distinct();
        if order.len() == functions.bodies.len() {
            break;
        }
        current = functions.rewrite(&current, order, &representatives)?;
    }
    let functions = Functions::read(&current)?;
    let order = functions.alike();
    let representatives: Vec<usize> = (0..functions.bodies.len()).collect();
    functions.rewrite(&current, order, &representatives)
}

/// The functions of a module, without the imported ones.
struct Functions<'a> {
    imports: u32,
    types: Vec<u32>,
    bodies: Vec<FunctionBody<'a>>,
}

impl<'a> Functions<'a> {
    fn read(module: &'a [u8]) -> Result<Self> {
        let mut functions = Functions { imports: 0, types: Vec::new(), bodies: Vec::new() };
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        functions.imports += u32::from(matches!(import?.ty, TypeRef::Func(_)));
                    }
                }
                Payload::FunctionSection(section) => {
                    functions.types = section.into_iter().collect::<Result<_, _>>()?;
                }
                Payload::CodeSectionEntry(body) => functions.bodies.push(body),
                _ => {}
            }
        }
        Ok(functions)
    }

    /// The functions that stay, and for each function the one that does what it does.
    fn distinct(&self) -> (Vec<usize>, Vec<usize>) {
        let mut first = HashMap::new();
        let mut order = Vec::new();
        let mut representatives = Vec::new();
        for (function, body) in self.bodies.iter().enumerate() {
            let key = (self.types[function], body.as_bytes());
            let representative = *first.entry(key).or_insert(function);
            if representative == function {
                order.push(function);
            }
            representatives.push(representative);
        }
        (order, representatives)
    }

    /// An order in which each function is followed by the one most like it that is left, or else
    /// by the largest that is left.
    fn alike(&self) -> Vec<usize> {
        let pieces: Vec<Vec<u64>> =
            self.bodies.iter().map(|body| pieces(body.as_bytes())).collect();
        let mut holders: HashMap<u64, Vec<usize>> = HashMap::new();
        for (function, pieces) in pieces.iter().enumerate() {
            for piece in pieces {
                holders.entry(*piece).or_default().push(function);
            }
        }
        let mut by_size: Vec<usize> = (0..self.bodies.len()).collect();
        by_size
            .sort_by_key(|&function| (Reverse(self.bodies[function].as_bytes().len()), function));
        let mut is_placed = vec![false; self.bodies.len()];
        let mut shared = vec![0_u32; self.bodies.len()];
        let mut order = Vec::new();
        for start in by_size {
            let mut next = Some(start);
            while let Some(function) = next.filter(|&function| !is_placed[function]) {
                is_placed[function] = true;
                order.push(function);
                next = most_alike(function, &pieces, &holders, &is_placed, &mut shared);
            }
        }
        order
    }

    /// The module with the functions of `order` only; where a function was named, its
    /// representative is.
    fn rewrite(
        self,
        module: &[u8],
        order: Vec<usize>,
        representatives: &[usize],
    ) -> Result<Vec<u8>> {
        let mut place = vec![0; representatives.len()];
        for (new, &function) in (self.imports..).zip(&order) {
            place[function] = new;
        }
        let numbers = representatives.iter().map(|&function| place[function]).collect();
        let mut rewriter = Rewriter { functions: self, order, numbers };
        let mut output = Module::new();
        rewriter
            .parse_core_module(&mut output, Parser::new(0), module)
            .context("pack: cannot rewrite the module")?;
        Ok(output.finish())
    }
}

/// The hashes of the pieces that stand for a function's code: the smallest, so that functions
/// that share code share them.
fn pieces(code: &[u8]) -> Vec<u64> {
    let mut pieces: Vec<u64> = code
        .windows(PIECE)
        .map(|piece| {
            let mut bytes = [0; 8];
            bytes[..PIECE].copy_from_slice(piece);
            let mixed = u64::from_le_bytes(bytes).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9)
        })
        .collect();
    pieces.sort_unstable();
    pieces.dedup();
    pieces.truncate(PIECES);
    pieces
}

/// The function not yet placed that shares most with `function`. `shared` is all zero, before and
/// after.
fn most_alike(
    function: usize,
    pieces: &[Vec<u64>],
    holders: &HashMap<u64, Vec<usize>>,
    is_placed: &[bool],
    shared: &mut [u32],
) -> Option<usize> {
    let mut others = Vec::new();
    for piece in &pieces[function] {
        let holders = &holders[piece];
        if holders.len() > COMMON {
            continue;
        }
        for &other in holders.iter().filter(|&&other| !is_placed[other]) {
            if shared[other] == 0 {
                others.push(other);
            }
            shared[other] += 1;
        }
    }
    let mut best = None;
    let mut most = ALIKE;
    for other in others {
        let common = f64::from(std::mem::take(&mut shared[other]));
        let all = (pieces[function].len() + pieces[other].len()) as f64 - common;
        if common / all > most {
            most = common / all;
            best = Some(other);
        }
    }
    best
}

struct Rewriter<'a> {
    functions: Functions<'a>,
    /// The functions in their new order, by their old place.
    order: Vec<usize>,
    /// The new number of each function, by its old place.
    numbers: Vec<u32>,
}

type Rewritten<T> = Result<T, reencode::Error<Infallible>>;

impl Reencode for Rewriter<'_> {
    type Error = Infallible;

    fn function_index(&mut self, function: u32) -> Rewritten<u32> {
        let place = function.checked_sub(self.functions.imports);
        Ok(place.map_or(function, |place| self.numbers[place as usize]))
    }

    fn parse_function_section(
        &mut self,
        section: &mut FunctionSection,
        _: FunctionSectionReader<'_>,
    ) -> Rewritten<()> {
        for &function in &self.order {
            section.function(self.functions.types[function]);
        }
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        section: &mut CodeSection,
        _: CodeSectionReader<'_>,
    ) -> Rewritten<()> {
        for place in 0..self.order.len() {
            let body = self.functions.bodies[self.order[place]].clone();
            self.parse_function_body(section, body)?;
        }
        Ok(())
    }

    fn parse_custom_section(
        &mut self,
        _: &mut Module,
        _: CustomSectionReader<'_>,
    ) -> Rewritten<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_encoder::{
        CustomSection, ExportKind, ExportSection, Function, ImportSection, TypeSection, ValType,
    };

    /// A module with one imported function and functions that each give a number, or what another
    /// function gives.
    fn module(bodies: &[Body]) -> Vec<u8> {
        let mut module = Module::new();
        let mut types = TypeSection::new();
        types.ty().function([], [ValType::I32]);
        module.section(&types);
        let mut imports = ImportSection::new();
        imports.import("host", "zero", wasm_encoder::EntityType::Function(0));
        module.section(&imports);
        let mut functions = FunctionSection::new();
        let mut exports = ExportSection::new();
        let mut code = CodeSection::new();
        for (index, body) in (1..).zip(bodies) {
            functions.function(0);
            exports.export(&format!("f{index}"), ExportKind::Func, index);
            let mut function = Function::new([]);
            match *body {
                Body::Number(number) => function.instructions().i32_const(number).end(),
                Body::Call(callee) => function.instructions().call(callee).end(),
            };
            code.function(&function);
        }
        module.section(&functions);
        module.section(&exports);
        module.section(&code);
        module.section(&CustomSection { name: "note".into(), data: b"x"[..].into() });
        module.finish()
    }

    enum Body {
        Number(i32),
        Call(u32),
    }

    /// What each export of a module made by [`module`] gives; `None` for the import.
    fn results(module: &[u8]) -> Vec<(String, Option<i32>)> {
        let functions = Functions::read(module).unwrap();
        let result = |mut function: u32| {
            while let Some(place) = function.checked_sub(functions.imports) {
                let mut code = functions.bodies[place as usize].get_operators_reader().unwrap();
                match code.read().unwrap() {
                    wasmparser::Operator::I32Const { value } => return Some(value),
                    wasmparser::Operator::Call { function_index } => function = function_index,
                    other => panic!("{other:?}"),
                }
            }
            None
        };
        let mut results = Vec::new();
        for payload in Parser::new(0).parse_all(module) {
            match payload.unwrap() {
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export.unwrap();
                        results.push((export.name.to_owned(), result(export.index)));
                    }
                }
                Payload::CustomSection(_) => panic!("a custom section is left"),
                _ => {}
            }
        }
        results
    }

    #[test]
    fn the_same_functions_become_one_and_exports_do_what_they_did() {
        let bodies = [
            Body::Call(0),
            Body::Number(7),
            Body::Call(4),
            Body::Number(7),
            Body::Call(2),
            Body::Number(1_000_000),
        ];
        let packed = pack(&module(&bodies)).unwrap();
        assert_eq!(Functions::read(&packed).unwrap().bodies.len(), 4, "two calls are one as well");
        let want = [None, Some(7), Some(7), Some(7), Some(7), Some(1_000_000)];
        let found = results(&packed);
        assert_eq!(found.iter().map(|(_, result)| *result).collect::<Vec<_>>(), want);
        assert_eq!(found[5].0, "f6");
        assert_eq!(pack(&packed).unwrap(), packed, "there is nothing left to do");
    }

    #[test]
    fn like_stands_beside_like() {
        let pieces_of = |code: &[&[u8]]| code.iter().map(|code| pieces(code)).collect::<Vec<_>>();
        let pieces = pieces_of(&[b"a long function", b"something else", b"a long functor"]);
        let mut holders: HashMap<u64, Vec<usize>> = HashMap::new();
        for (function, pieces) in pieces.iter().enumerate() {
            for piece in pieces {
                holders.entry(*piece).or_default().push(function);
            }
        }
        let mut shared = vec![0; 3];
        let none_placed = [false; 3];
        let placed = [true, false, false];
        assert_eq!(most_alike(0, &pieces, &holders, &placed, &mut shared), Some(2));
        assert_eq!(most_alike(1, &pieces, &holders, &[true, true, false], &mut shared), None);
        assert_eq!(most_alike(1, &pieces, &holders, &none_placed, &mut shared), Some(1));
        assert_eq!(shared, [0; 3]);
    }
}
