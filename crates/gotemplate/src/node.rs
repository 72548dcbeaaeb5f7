//! The syntax tree of a template, and its text for error messages.

use std::fmt;

use crate::value::Value;

/// A node.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    Text(String),
    Action(Pipe),
    If(Branch),
    Range(Branch),
    With(Branch),
    Template { at: usize, name: String, argument: Option<Pipe> },
    Break,
    Continue,
}

/// `if`, `range` or `with`.
#[derive(Debug, Clone)]
pub(crate) struct Branch {
    pub(crate) pipe: Pipe,
    pub(crate) then: Vec<Node>,
    pub(crate) otherwise: Vec<Node>,
}

/// Commands in a pipeline, and the variables to which the result is assigned.
#[derive(Debug, Clone)]
pub(crate) struct Pipe {
    pub(crate) at: usize,
    pub(crate) variables: Vec<String>,
    pub(crate) assigns: bool,
    pub(crate) commands: Vec<Command>,
}

/// A value, or a function or method with arguments.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    pub(crate) first: Expr,
    pub(crate) arguments: Vec<Expr>,
}

/// An operand and its position.
#[derive(Debug, Clone)]
pub(crate) struct Expr {
    pub(crate) at: usize,
    pub(crate) kind: ExprKind,
}

/// Kind of an operand.
#[derive(Debug, Clone)]
pub(crate) enum ExprKind {
    Dot,
    Nil,
    /// A constant and its text.
    Constant(Value, String),
    Function(String),
    Field(Vec<String>),
    Variable(String, Vec<String>),
    Paren(Box<Pipe>),
    Chain(Box<Expr>, Vec<String>),
}

impl fmt::Display for Expr {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let fields = |formatter: &mut fmt::Formatter, fields: &[String]| {
            fields.iter().try_for_each(|field| write!(formatter, ".{field}"))
        };
        match &self.kind {
            ExprKind::Dot => formatter.write_str("."),
            ExprKind::Nil => formatter.write_str("nil"),
            ExprKind::Constant(_, written) => formatter.write_str(written),
            ExprKind::Function(name) => formatter.write_str(name),
            ExprKind::Field(names) => fields(formatter, names),
            ExprKind::Variable(name, names) => {
                formatter.write_str(name)?;
                fields(formatter, names)
            }
            ExprKind::Paren(pipe) => write!(formatter, "({pipe})"),
            ExprKind::Chain(inner, names) => {
                write!(formatter, "{inner}")?;
                fields(formatter, names)
            }
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{}", self.first)?;
        self.arguments.iter().try_for_each(|argument| write!(formatter, " {argument}"))
    }
}

impl fmt::Display for Pipe {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        if !self.variables.is_empty() {
            let sign = if self.assigns { "=" } else { ":=" };
            write!(formatter, "{} {sign} ", self.variables.join(", "))?;
        }
        for (index, command) in self.commands.iter().enumerate() {
            let bar = if index == 0 { "" } else { " | " };
            write!(formatter, "{bar}{command}")?;
        }
        Ok(())
    }
}
