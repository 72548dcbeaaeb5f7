//! Renders a template.

use std::sync::Arc;

use crate::{
    Definition, Options, Templates, builtin,
    error::Error,
    functions::Functions,
    node::{Branch, Command, Expr, ExprKind, Node, Pipe},
    types,
    value::Value,
    value_error::ValueError,
};

/// Maximum depth of templates within templates, to stop endless recursion.
const MAX_DEPTH: usize = 64;

pub(crate) use builtin::is_builtin;

/// See [`Templates::render`].
pub(crate) fn render(
    templates: &Templates,
    name: &str,
    data: &Value,
    functions: &Functions,
    options: &Options,
) -> Result<String, Error> {
    let definition = templates.definition(name).ok_or_else(|| Error::NotDefined(name.to_owned()))?;
    let mut run = Run { templates, functions, options, output: String::new(), steps: 0 };
    let mut frame = Frame { name, definition, variables: vec![("$".to_owned(), data.clone())], depth: 0 };
    run.list(&mut frame, &definition.nodes, data)?;
    Ok(run.output)
}

struct Run<'a> {
    templates: &'a Templates,
    functions: &'a Functions<'a>,
    options: &'a Options,
    output: String,
    steps: usize,
}

/// One executed definition.
struct Frame<'a> {
    name: &'a str,
    definition: &'a Arc<Definition>,
    variables: Vec<(String, Value)>,
    depth: usize,
}

impl Frame<'_> {
    fn error(&self, position: usize, at: &dyn std::fmt::Display, message: impl std::fmt::Display) -> Error {
        Error::at(&self.definition.source, self.name, position, at, message)
    }

    fn variable(&self, name: &str) -> Option<&Value> {
        self.variables.iter().rev().find(|(candidate, _)| candidate == name).map(|(_, value)| value)
    }

    /// Assigns a variable; false if there is none.
    fn assign(&mut self, name: &str, value: Value) -> bool {
        match self.variables.iter_mut().rev().find(|(candidate, _)| candidate == name) {
            Some((_, slot)) => {
                *slot = value;
                true
            }
            None => false,
        }
    }
}

/// A function call, and its position and text.
struct Call<'a> {
    at: usize,
    shown: &'a dyn std::fmt::Display,
    name: &'a str,
}

/// Whether a loop continues.
#[derive(PartialEq)]
enum Flow {
    On,
    Break,
    Continue,
}

impl Run<'_> {
    fn list(&mut self, frame: &mut Frame, nodes: &[Node], dot: &Value) -> Result<Flow, Error> {
        for node in nodes {
            let flow = self.node(frame, node, dot)?;
            if flow != Flow::On {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    fn count(&mut self, frame: &Frame) -> Result<(), Error> {
        self.steps += 1;
        if self.steps > self.options.max_steps {
            return Err(frame.error(0, &"template", format!("more than {} steps", self.options.max_steps)));
        }
        if self.output.len() > self.options.max_bytes {
            return Err(frame.error(0, &"template", format!("more than {} bytes of output", self.options.max_bytes)));
        }
        Ok(())
    }

    fn node(&mut self, frame: &mut Frame, node: &Node, dot: &Value) -> Result<Flow, Error> {
        self.count(frame)?;
        match node {
            Node::Text(text) => self.output.push_str(text),
            Node::Action(pipe) => {
                let value = self.pipe(frame, pipe, dot)?;
                if pipe.variables.is_empty() {
                    self.print(&value);
                }
            }
            Node::If(branch) | Node::With(branch) => {
                let scope = frame.variables.len();
                let value = self.pipe(frame, &branch.pipe, dot)?;
                let inner = if matches!(node, Node::With(_)) { &value } else { dot };
                let flow = if value.truth() {
                    self.list(frame, &branch.then, inner)?
                } else {
                    self.list(frame, &branch.otherwise, dot)?
                };
                frame.variables.truncate(scope);
                return Ok(flow);
            }
            Node::Range(branch) => {
                let scope = frame.variables.len();
                let flow = self.range(frame, branch, dot)?;
                frame.variables.truncate(scope);
                return Ok(flow);
            }
            Node::Template { at, name, argument } => {
                let data = match argument {
                    Some(pipe) => self.pipe(frame, pipe, dot)?,
                    None => Value::Nil,
                };
                self.template(frame, *at, name, &data)?;
            }
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::On)
    }

    fn template(&mut self, frame: &Frame, at: usize, name: &str, data: &Value) -> Result<(), Error> {
        let shown = format!("{{{{template {name:?}}}}}");
        let Some(definition) = self.templates.definition(name) else {
            return Err(frame.error(at, &shown, format!("template {name:?} not defined")));
        };
        if frame.depth >= MAX_DEPTH {
            return Err(frame.error(at, &shown, format!("exceeded maximum template depth ({MAX_DEPTH})")));
        }
        let variables = vec![("$".to_owned(), data.clone())];
        let mut inner = Frame { name, definition, variables, depth: frame.depth + 1 };
        self.list(&mut inner, &definition.nodes, data)?;
        Ok(())
    }

    fn print(&mut self, value: &Value) {
        match value {
            Value::Nil => self.output.push_str(if self.options.html { "" } else { "<no value>" }),
            Value::Html(text) => self.output.push_str(text),
            other if self.options.html => self.output.push_str(&builtin::escape_html(&other.to_string())),
            other => self.output.push_str(&other.to_string()),
        }
    }

    fn range(&mut self, frame: &mut Frame, branch: &Branch, dot: &Value) -> Result<Flow, Error> {
        let pipe = &branch.pipe;
        let value = self.commands(frame, pipe, dot)?;
        let items: Box<dyn Iterator<Item = (Value, Value)>> = match value.plain() {
            Value::Nil => Box::new(std::iter::empty()),
            Value::List(values) => {
                let values: Vec<Value> = values.to_vec();
                Box::new((0_i64..).map(Value::Int).zip(values))
            }
            Value::Map(map) => {
                let entries: Vec<_> =
                    map.entries.iter().map(|(name, value)| (Value::str(name.as_str()), value.clone())).collect();
                Box::new(entries.into_iter())
            }
            Value::Int(count) => Box::new((0..count).map(|index| (Value::Int(index), Value::Int(index)))),
            other => return Err(frame.error(pipe.at, pipe, format!("range can't iterate over {other}"))),
        };
        let scope = frame.variables.len();
        let mut ran = false;
        for (key, item) in items {
            self.count(frame)?;
            ran = true;
            match pipe.variables.as_slice() {
                [] => {}
                [only] => set(frame, pipe, only, item.clone())?,
                [first, second, ..] => {
                    set(frame, pipe, first, key)?;
                    set(frame, pipe, second, item.clone())?;
                }
            }
            let flow = self.list(frame, &branch.then, &item)?;
            frame.variables.truncate(scope);
            if flow == Flow::Break {
                break;
            }
        }
        if ran { Ok(Flow::On) } else { self.list(frame, &branch.otherwise, dot) }
    }

    /// The value of a pipe, which is also assigned to its variables.
    fn pipe(&mut self, frame: &mut Frame, pipe: &Pipe, dot: &Value) -> Result<Value, Error> {
        let value = self.commands(frame, pipe, dot)?;
        for variable in &pipe.variables {
            set(frame, pipe, variable, value.clone())?;
        }
        Ok(value)
    }

    fn commands(&mut self, frame: &mut Frame, pipe: &Pipe, dot: &Value) -> Result<Value, Error> {
        self.count(frame)?;
        let mut last = None;
        for command in &pipe.commands {
            last = Some(self.command(frame, command, dot, last)?);
        }
        Ok(last.unwrap_or_default())
    }

    fn command(
        &mut self,
        frame: &mut Frame,
        command: &Command,
        dot: &Value,
        last: Option<Value>,
    ) -> Result<Value, Error> {
        let first = &command.first;
        let takes = !command.arguments.is_empty() || last.is_some();
        match &first.kind {
            ExprKind::Function(name) => {
                let call = Call { at: first.at, shown: command, name };
                self.function(frame, &call, &command.arguments, dot, last)
            }
            ExprKind::Field(names) => {
                let arguments = self.arguments(frame, &command.arguments, dot, last)?;
                members(frame, first, dot.clone(), names, &arguments)
            }
            ExprKind::Variable(name, names) if !names.is_empty() => {
                let arguments = self.arguments(frame, &command.arguments, dot, last)?;
                let value = frame.variable(name).cloned().unwrap_or_default();
                members(frame, first, value, names, &arguments)
            }
            ExprKind::Chain(inner, names) => {
                let arguments = self.arguments(frame, &command.arguments, dot, last)?;
                let value = self.operand(frame, inner, dot)?;
                members(frame, first, value, names, &arguments)
            }
            _ if takes => Err(frame.error(first.at, first, format!("can't give argument to non-function {first}"))),
            ExprKind::Nil => Err(frame.error(first.at, first, "nil is not a command")),
            _ => self.operand(frame, first, dot),
        }
    }

    /// The arguments, each with whether it is a constant.
    fn arguments(
        &mut self,
        frame: &mut Frame,
        arguments: &[Expr],
        dot: &Value,
        last: Option<Value>,
    ) -> Result<Vec<(Value, bool)>, Error> {
        let mut values = Vec::with_capacity(arguments.len() + 1);
        for argument in arguments {
            let is_constant = matches!(argument.kind, ExprKind::Constant(..));
            values.push((self.operand(frame, argument, dot)?, is_constant));
        }
        values.extend(last.map(|last| (last, false)));
        Ok(values)
    }

    fn operand(&mut self, frame: &mut Frame, expr: &Expr, dot: &Value) -> Result<Value, Error> {
        match &expr.kind {
            ExprKind::Dot => Ok(dot.clone()),
            ExprKind::Nil => Ok(Value::Nil),
            ExprKind::Constant(value, _) => Ok(value.clone()),
            ExprKind::Function(name) => self.function(frame, &Call { at: expr.at, shown: expr, name }, &[], dot, None),
            ExprKind::Field(names) => members(frame, expr, dot.clone(), names, &[]),
            ExprKind::Variable(name, names) => {
                let value = frame.variable(name).cloned().unwrap_or_default();
                members(frame, expr, value, names, &[])
            }
            ExprKind::Paren(pipe) => self.pipe(frame, pipe, dot),
            ExprKind::Chain(inner, names) => {
                let value = self.operand(frame, inner, dot)?;
                members(frame, expr, value, names, &[])
            }
        }
    }

    fn function(
        &mut self,
        frame: &mut Frame,
        call: &Call,
        arguments: &[Expr],
        dot: &Value,
        last: Option<Value>,
    ) -> Result<Value, Error> {
        let name = call.name;
        // These evaluate no more arguments than necessary.
        if matches!(name, "and" | "or") && !self.functions.has(name) {
            return self.short_cut(frame, call, arguments, dot, last);
        }
        let values = self.arguments(frame, arguments, dot, last)?;
        let values = self.functions.taken(name, values).map_err(|error| frame.error(call.at, call.shown, error))?;
        let result = match self.functions.call(name, &values) {
            Some(result) => result,
            None => builtin::call(name, &values),
        };
        result.map_err(|error| frame.error(call.at, call.shown, error))
    }

    fn short_cut(
        &mut self,
        frame: &mut Frame,
        call: &Call,
        arguments: &[Expr],
        dot: &Value,
        last: Option<Value>,
    ) -> Result<Value, Error> {
        let is_and = call.name == "and";
        let mut value = None;
        for argument in arguments {
            let next = self.operand(frame, argument, dot)?;
            if next.truth() != is_and {
                return Ok(next);
            }
            value = Some(next);
        }
        last.or(value).ok_or_else(|| {
            let (name, want) = (call.name.to_owned(), "at least 1".to_owned());
            frame.error(call.at, call.shown, ValueError::ArgumentCount { name, want, got: 0 })
        })
    }
}

fn set(frame: &mut Frame, pipe: &Pipe, name: &str, value: Value) -> Result<(), Error> {
    if !pipe.assigns {
        frame.variables.push((name.to_owned(), value));
        Ok(())
    } else if frame.assign(name, value) {
        Ok(())
    } else {
        Err(frame.error(pipe.at, pipe, format!("undefined variable: {name}")))
    }
}

/// Follows a chain of members; the last one gets the arguments.
fn members(
    frame: &Frame,
    expr: &Expr,
    start: Value,
    names: &[String],
    arguments: &[(Value, bool)],
) -> Result<Value, Error> {
    let mut value = start;
    for (index, name) in names.iter().enumerate() {
        let given = if index + 1 == names.len() { arguments } else { &[] };
        value = member(&value, name, given).map_err(|error| frame.error(expr.at, expr, error))?;
    }
    Ok(value)
}

fn member(value: &Value, name: &str, arguments: &[(Value, bool)]) -> Result<Value, ValueError> {
    let no_field = |kind: &str| ValueError::NoField { name: name.to_owned(), kind: kind.to_owned() };
    match value {
        Value::Object(object) => {
            let plain: Vec<Value> = match object.named().and_then(|named| named.method(name)) {
                Some(method) => {
                    method.check_count(arguments.len())?;
                    let taken = arguments.iter().enumerate().map(|(at, (value, is_constant))| {
                        let wanted = method.parameter(at).unwrap_or(types::Type::Any);
                        types::argument(value.clone(), *is_constant, wanted)
                    });
                    taken.collect::<Result<_, _>>()?
                }
                None => arguments.iter().map(|(value, _)| value.clone()).collect(),
            };
            if let Some(result) = object.member(name, &plain) {
                return result.map_err(|error| error.calling(name));
            }
            match object.underlying() {
                Value::Nil => Err(no_field(object.type_name())),
                inner => member(&inner, name, arguments),
            }
        }
        Value::Map(map) if arguments.is_empty() => {
            Ok(map.entries.get(name).cloned().unwrap_or_else(|| map.missing.clone()))
        }
        Value::Map(_) => Err(ValueError::CalledEntry(name.to_owned())),
        Value::Nil => Err(ValueError::FieldOfNil(name.to_owned())),
        other => Err(no_field(other.type_name())),
    }
}
