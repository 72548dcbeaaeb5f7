//! Checks a template against the type of its data, so that errors are found when a file is loaded and not when a
//! message is due.
//!
//! Only what cannot succeed is an error: a value whose type is only known at run time is not checked.

use std::collections::HashSet;

use crate::{
    Definition, Templates, builtin,
    error::Error,
    functions::{Functions, check_count},
    node::{Branch, Command, Expr, ExprKind, Node, Pipe},
    types::{Type, whole},
    value_error::ValueError,
};

/// Maximum number of listed errors.
const MAX_FAULTS: usize = 20;
/// Maximum depth of templates within templates.
const MAX_DEPTH: usize = 64;

/// See [`Templates::check`].
pub(crate) fn check(templates: &Templates, name: &str, dot: Type, functions: &Functions) -> Vec<Error> {
    let mut checker = Checker { templates, functions, faults: Vec::new(), seen: HashSet::new() };
    match templates.definition(name) {
        Some(definition) => checker.definition(name, definition, dot, 0),
        None => checker.faults.push(Error::NotDefined(name.to_owned())),
    }
    checker.faults
}

struct Checker<'a> {
    templates: &'a Templates,
    functions: &'a Functions<'a>,
    faults: Vec<Error>,
    /// Definitions with the types for which they were checked.
    seen: HashSet<(String, String)>,
}

/// The definition being checked.
struct Scope<'a> {
    name: &'a str,
    definition: &'a Definition,
    variables: Vec<(String, Type)>,
    /// Variables that are assigned later: their type is unknown.
    assigned: HashSet<String>,
    depth: usize,
}

/// An argument: its type, and its value if it is a constant.
struct Given<'a> {
    kind: Type,
    constant: Option<&'a Expr>,
}

impl Scope<'_> {
    fn declare(&mut self, name: &str, kind: Type) {
        let kind = if self.assigned.contains(name) { Type::Any } else { kind };
        self.variables.push((name.to_owned(), kind));
    }

    fn variable(&self, name: &str) -> Type {
        self.variables.iter().rev().find(|(known, _)| known == name).map_or(Type::Any, |(_, kind)| *kind)
    }
}

impl<'a> Checker<'a> {
    fn fault(&mut self, scope: &Scope, at: usize, shown: &dyn std::fmt::Display, message: impl std::fmt::Display) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(Error::at(&scope.definition.source, scope.name, at, shown, message));
        }
    }

    fn definition(&mut self, name: &str, definition: &Definition, dot: Type, depth: usize) {
        if depth >= MAX_DEPTH || !self.seen.insert((name.to_owned(), dot.to_string())) {
            return;
        }
        let mut assigned = HashSet::new();
        assignments(&definition.nodes, &mut assigned);
        let variables = vec![("$".to_owned(), dot)];
        let mut scope = Scope { name, definition, variables, assigned, depth };
        self.list(&mut scope, &definition.nodes, dot);
    }

    fn list(&mut self, scope: &mut Scope, nodes: &[Node], dot: Type) {
        for node in nodes {
            self.node(scope, node, dot);
        }
    }

    fn node(&mut self, scope: &mut Scope, node: &Node, dot: Type) {
        match node {
            Node::Text(_) | Node::Break | Node::Continue => {}
            Node::Action(pipe) => {
                self.pipe(scope, pipe, dot);
            }
            Node::If(branch) | Node::With(branch) => {
                let before = scope.variables.len();
                let kind = self.pipe(scope, &branch.pipe, dot);
                self.list(scope, &branch.then, if matches!(node, Node::With(_)) { kind } else { dot });
                self.list(scope, &branch.otherwise, dot);
                scope.variables.truncate(before);
            }
            Node::Range(branch) => {
                let before = scope.variables.len();
                self.range(scope, branch, dot);
                scope.variables.truncate(before);
            }
            Node::Template { at, name, argument } => {
                // Without an argument the data is nil, which has no fields; behind a condition that may be intended.
                let kind = argument.as_ref().map_or(Type::Any, |pipe| self.pipe(scope, pipe, dot));
                let templates = self.templates;
                match templates.definition(name) {
                    Some(definition) => self.definition(name, definition, kind, scope.depth + 1),
                    None => {
                        let shown = format!("{{{{template {name:?}}}}}");
                        self.fault(scope, *at, &shown, format!("template {name:?} not defined"));
                    }
                }
            }
        }
    }

    fn range(&mut self, scope: &mut Scope, branch: &Branch, dot: Type) {
        let pipe = &branch.pipe;
        let over = self.commands(scope, pipe, dot);
        let (key, item) = match over.plain() {
            Type::Any => (Type::Any, Type::Any),
            Type::List(of) => (Type::Int, *of),
            Type::Map(of) => (Type::Str, *of),
            Type::Int => (Type::Int, Type::Int),
            _ => {
                self.fault(scope, pipe.at, pipe, format!("range can't iterate over {over}"));
                (Type::Any, Type::Any)
            }
        };
        match pipe.variables.as_slice() {
            [] => {}
            [only] => scope.declare(only, item),
            [first, second, ..] => {
                scope.declare(first, key);
                scope.declare(second, item);
            }
        }
        self.list(scope, &branch.then, item);
        self.list(scope, &branch.otherwise, dot);
    }

    fn pipe(&mut self, scope: &mut Scope, pipe: &Pipe, dot: Type) -> Type {
        let kind = self.commands(scope, pipe, dot);
        if !pipe.assigns {
            for variable in &pipe.variables {
                scope.declare(variable, kind);
            }
        }
        kind
    }

    fn commands(&mut self, scope: &mut Scope, pipe: &Pipe, dot: Type) -> Type {
        let mut last = None;
        for command in &pipe.commands {
            last = Some(self.command(scope, command, dot, last));
        }
        last.unwrap_or(Type::Any)
    }

    fn command(&mut self, scope: &mut Scope, command: &Command, dot: Type, last: Option<Type>) -> Type {
        let first = &command.first;
        let mut given: Vec<Given> = Vec::with_capacity(command.arguments.len() + 1);
        for argument in &command.arguments {
            let constant = matches!(argument.kind, ExprKind::Constant(..)).then_some(argument);
            given.push(Given { kind: self.operand(scope, argument, dot), constant });
        }
        given.extend(last.map(|kind| Given { kind, constant: None }));
        match &first.kind {
            ExprKind::Function(name) => self.function(scope, first.at, command, name, &given),
            ExprKind::Field(names) => self.members(scope, first, dot, names, &given),
            ExprKind::Variable(name, names) if !names.is_empty() => {
                self.members(scope, first, scope.variable(name), names, &given)
            }
            ExprKind::Chain(inner, names) => {
                let kind = self.operand(scope, inner, dot);
                self.members(scope, first, kind, names, &given)
            }
            _ if !given.is_empty() => {
                self.fault(scope, first.at, first, format!("can't give argument to non-function {first}"));
                Type::Any
            }
            ExprKind::Nil => {
                self.fault(scope, first.at, first, "nil is not a command");
                Type::Any
            }
            _ => self.operand(scope, first, dot),
        }
    }

    fn operand(&mut self, scope: &mut Scope, expr: &Expr, dot: Type) -> Type {
        match &expr.kind {
            ExprKind::Dot => dot,
            ExprKind::Nil => Type::Any,
            ExprKind::Constant(value, _) => Type::of_constant(value),
            ExprKind::Function(name) => self.function(scope, expr.at, expr, name, &[]),
            ExprKind::Field(names) => self.members(scope, expr, dot, names, &[]),
            ExprKind::Variable(name, names) => self.members(scope, expr, scope.variable(name), names, &[]),
            ExprKind::Paren(pipe) => self.pipe(scope, pipe, dot),
            ExprKind::Chain(inner, names) => {
                let kind = self.operand(scope, inner, dot);
                self.members(scope, expr, kind, names, &[])
            }
        }
    }

    fn members(&mut self, scope: &Scope, expr: &Expr, start: Type, names: &[String], given: &[Given]) -> Type {
        let mut kind = start;
        for (index, name) in names.iter().enumerate() {
            let given = if index + 1 == names.len() { given } else { &[] };
            match member(kind, name, given) {
                Ok(next) => kind = next,
                Err(error) => {
                    self.fault(scope, expr.at, expr, error);
                    return Type::Any;
                }
            }
        }
        kind
    }

    fn function(
        &mut self,
        scope: &Scope,
        at: usize,
        shown: &dyn std::fmt::Display,
        name: &str,
        given: &[Given],
    ) -> Type {
        let arity = self.functions.arity(name);
        let is_own = arity.is_some();
        let count = check_count(name, &arity.unwrap_or_else(|| builtin::arity(name)), given.len());
        let result = count.and_then(|()| match self.functions.signature(name) {
            _ if !is_own => built_in(name, given).map_err(|error| error.calling(name)),
            Some(signature) => {
                for (at, given) in given.iter().enumerate() {
                    given.check(signature.parameter(at).unwrap_or(Type::Any))?;
                }
                Ok(signature.result)
            }
            None => Ok(Type::Any),
        });
        result.unwrap_or_else(|error| {
            self.fault(scope, at, shown, error);
            Type::Any
        })
    }
}

impl Given<'_> {
    /// Fails if a parameter of this type does not accept it.
    fn check(&self, wanted: Type) -> Result<(), ValueError> {
        if let Some(Expr { kind: ExprKind::Constant(value, written), .. }) = self.constant {
            let is_whole = whole(value).is_some() && matches!(wanted.plain(), Type::Int | Type::Float);
            return match is_whole || self.kind.fits(wanted) {
                true => Ok(()),
                false => Err(ValueError::WrongConstant { expected: wanted.to_string(), found: written.to_string() }),
            };
        }
        if self.kind.fits(wanted) {
            return Ok(());
        }
        Err(ValueError::wrong_type(wanted, self.kind))
    }
}

/// Variables that are assigned after their declaration.
fn assignments(nodes: &[Node], found: &mut HashSet<String>) {
    for node in nodes {
        match node {
            Node::Action(pipe) if pipe.assigns => found.extend(pipe.variables.iter().cloned()),
            Node::If(branch) | Node::With(branch) | Node::Range(branch) => {
                if branch.pipe.assigns {
                    found.extend(branch.pipe.variables.iter().cloned());
                }
                assignments(&branch.then, found);
                assignments(&branch.otherwise, found);
            }
            _ => {}
        }
    }
}

/// The type of a field, or of a method's result.
fn member(kind: Type, name: &str, given: &[Given]) -> Result<Type, ValueError> {
    match kind {
        Type::Any => Ok(Type::Any),
        Type::Named(named) => {
            if let Some(method) = named.method(name) {
                method.check_count(given.len())?;
                for (at, given) in given.iter().enumerate() {
                    given.check(method.parameter(at).unwrap_or(Type::Any))?;
                }
                return Ok(method.result);
            }
            match (named.field(name), named.underlying) {
                (Some(kind), _) if given.is_empty() => Ok(kind),
                (Some(_), _) => Err(ValueError::CalledField(name.to_owned())),
                (None, Some(below @ Type::Map(_))) => member(below, name, given),
                (None, _) => {
                    let known = named.fields.iter().map(|(name, _)| *name);
                    let known: Vec<&str> = known.chain(named.methods.iter().map(|method| method.name)).collect();
                    let (name, kind, known) = (name.to_owned(), kind.to_string(), known.join(", "));
                    Err(ValueError::UnknownField { name, kind, known })
                }
            }
        }
        Type::Map(of) if given.is_empty() => Ok(*of),
        Type::Map(_) => Err(ValueError::CalledEntry(name.to_owned())),
        kind => Err(ValueError::NoField { name: name.to_owned(), kind: kind.to_string() }),
    }
}

/// The result type of one of Go's functions.
fn built_in(name: &str, given: &[Given]) -> Result<Type, ValueError> {
    let kinds: Vec<Type> = given.iter().map(|given| given.kind.plain()).collect();
    let first = kinds.first().copied().unwrap_or(Type::Any);
    match name {
        "and" | "or" => {
            let whole = given.first().map_or(Type::Any, |given| given.kind);
            Ok(if given.iter().all(|given| given.kind == whole) { whole } else { Type::Any })
        }
        "not" => Ok(Type::Bool),
        "len" => match first {
            Type::Any | Type::Str | Type::List(_) | Type::Map(_) => Ok(Type::Int),
            other => Err(ValueError::NoLength(other.to_string())),
        },
        "index" => kinds.iter().skip(1).try_fold(first, |kind, at| match (kind.plain(), at) {
            (Type::Any, _) => Ok(Type::Any),
            (Type::Map(of), Type::Str | Type::Any) | (Type::List(of), Type::Int | Type::Any) => Ok(*of),
            (Type::Str, Type::Int | Type::Any) => Ok(Type::Int),
            (Type::Map(_), at) => Err(ValueError::KeyType(at.to_string())),
            (Type::List(_) | Type::Str, at) => Err(ValueError::IndexType(at.to_string())),
            (kind, _) => Err(ValueError::NotIndexed(kind.to_string())),
        }),
        "slice" => match first {
            Type::Any | Type::Str | Type::List(_) => Ok(first),
            other => Err(ValueError::NotSliced(other.to_string())),
        },
        "print" | "println" | "html" | "js" | "urlquery" => Ok(Type::Str),
        "printf" => match first {
            Type::Any | Type::Str => Ok(Type::Str),
            other => Err(ValueError::wrong_type("string", other)),
        },
        "eq" | "ne" | "lt" | "le" | "gt" | "ge" => {
            for other in kinds.iter().skip(1) {
                comparable(name, first, *other)?;
            }
            Ok(Type::Bool)
        }
        _ => Ok(Type::Any),
    }
}

/// Fails if two values can never be compared.
fn comparable(name: &str, left: Type, right: Type) -> Result<(), ValueError> {
    let is_order = !matches!(name, "eq" | "ne");
    for kind in [left, right] {
        match kind {
            Type::List(_) | Type::Map(_) => return Err(ValueError::NotComparable),
            Type::Bool if is_order => return Err(ValueError::NoOrder),
            Type::Named(named) if named.method("Equal").is_some() => {
                return Err(ValueError::IncompatibleTypes("use its methods Equal, Before and After".to_owned()));
            }
            Type::Named(_) => return Err(ValueError::Incompatible),
            _ => {}
        }
    }
    match left == Type::Any || right == Type::Any || left == right {
        true => Ok(()),
        false => Err(ValueError::IncompatibleTypes(format!("{left} and {right}"))),
    }
}
