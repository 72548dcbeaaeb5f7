//! The parser: builds the tree from tokens, with the checks of Go's parser.

use crate::{
    error::Error,
    exec::is_builtin,
    functions::Functions,
    lex::{self, Kind, Token, Wrong},
    node::{Branch, Command, Expr, ExprKind, Node, Pipe},
    value::Value,
};

/// Maximum nesting of actions and parentheses, to protect the stack.
const MAX_DEPTH: usize = 100;

/// The definitions in a text, its own last.
pub(crate) fn parse(name: &str, text: &str, functions: &Functions) -> Result<Vec<(String, Vec<Node>)>, Error> {
    let failed = |wrong: Wrong| {
        let before = text.get(..wrong.at.min(text.len())).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        Error::Parse { name: name.to_owned(), line, message: wrong.message }
    };
    let tokens = lex::tokens(text).map_err(failed)?;
    let mut parser =
        Parser { tokens, next: 0, functions, variables: vec!["$".to_owned()], defined: Vec::new(), depth: 0, loops: 0 };
    let nodes = parser.whole().map_err(failed)?;
    parser.defined.push((name.to_owned(), nodes));
    Ok(parser.defined)
}

struct Parser<'a> {
    tokens: Vec<Token>,
    next: usize,
    functions: &'a Functions<'a>,
    variables: Vec<String>,
    defined: Vec<(String, Vec<Node>)>,
    depth: usize,
    loops: usize,
}

/// What ended a list of nodes.
#[derive(PartialEq)]
enum Ender {
    End,
    Else,
}

type Parsed<T> = Result<T, Wrong>;

impl Parser<'_> {
    fn peek(&self) -> Token {
        self.tokens.get(self.next).cloned().unwrap_or(Token { kind: Kind::End, at: usize::MAX })
    }

    fn take(&mut self) -> Token {
        let token = self.peek();
        self.next += 1;
        token
    }

    fn skip_space(&mut self) {
        while self.peek().kind == Kind::Space {
            self.next += 1;
        }
    }

    fn take_solid(&mut self) -> Token {
        self.skip_space();
        self.take()
    }

    fn peek_solid(&mut self) -> Token {
        self.skip_space();
        self.peek()
    }

    fn wrong<T>(&self, at: usize, message: impl Into<String>) -> Parsed<T> {
        Err(Wrong { at, message: message.into() })
    }

    fn unexpected<T>(&self, token: &Token, context: &str) -> Parsed<T> {
        let shown = match &token.kind {
            Kind::End => "EOF".to_owned(),
            Kind::Word(word) if is_keyword(word) => format!("<{word}>"),
            kind => {
                let text = written(kind);
                match text.char_indices().nth(10) {
                    Some((end, _)) => format!("{:?}...", text.get(..end).unwrap_or(&text)),
                    None => format!("{text:?}"),
                }
            }
        };
        self.wrong(token.at, format!("unexpected {shown} in {context}"))
    }

    fn expect(&mut self, kind: &Kind, context: &str) -> Parsed<()> {
        let token = self.take_solid();
        if token.kind == *kind { Ok(()) } else { self.unexpected(&token, context) }
    }

    /// The keyword of the next action, if any.
    fn keyword(&self) -> Option<String> {
        let mut inside = self.tokens.iter().skip(self.next + 1).filter(|token| token.kind != Kind::Space);
        match (&self.peek().kind, inside.next()) {
            (Kind::Open, Some(Token { kind: Kind::Word(word), .. })) => Some(word.clone()),
            _ => None,
        }
    }

    fn take_keyword(&mut self) {
        self.take();
        self.take_solid();
    }

    fn whole(&mut self) -> Parsed<Vec<Node>> {
        let mut nodes = Vec::new();
        loop {
            if self.peek().kind == Kind::End {
                return Ok(nodes);
            }
            match self.keyword().as_deref() {
                Some("define") => self.define()?,
                Some(word @ ("end" | "else")) => {
                    let at = self.peek().at;
                    return self.wrong(at, format!("unexpected {{{{{word}}}}}"));
                }
                _ => nodes.push(self.node()?),
            }
        }
    }

    fn define(&mut self) -> Parsed<()> {
        self.take_keyword();
        let name = self.name("define clause")?;
        self.expect(&Kind::Close, "define clause")?;
        let outer = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let loops = std::mem::take(&mut self.loops);
        let nodes = self.body("define clause")?;
        self.variables = outer;
        self.loops = loops;
        self.defined.push((name, nodes));
        Ok(())
    }

    /// Nodes up to `{{end}}`.
    fn body(&mut self, context: &str) -> Parsed<Vec<Node>> {
        let at = self.peek().at;
        let (nodes, ender) = self.list()?;
        if ender == Ender::Else { self.wrong(at, format!("unexpected {{{{else}}}} in {context}")) } else { Ok(nodes) }
    }

    fn name(&mut self, context: &str) -> Parsed<String> {
        let token = self.take_solid();
        match token.kind {
            Kind::Str(_, name) => Ok(name),
            _ => self.unexpected(&token, context),
        }
    }

    /// Nodes up to `{{end}}`, which is consumed, or `{{else`, whose rest is not consumed.
    fn list(&mut self) -> Parsed<(Vec<Node>, Ender)> {
        let mut nodes = Vec::new();
        loop {
            let token = self.peek();
            if token.kind == Kind::End {
                return self.wrong(token.at, "unexpected EOF");
            }
            match self.keyword().as_deref() {
                Some("end") => {
                    self.take_keyword();
                    self.expect(&Kind::Close, "end")?;
                    return Ok((nodes, Ender::End));
                }
                Some("else") => {
                    self.take_keyword();
                    return Ok((nodes, Ender::Else));
                }
                _ => nodes.push(self.node()?),
            }
        }
    }

    fn node(&mut self) -> Parsed<Node> {
        let token = self.peek();
        if let Kind::Text(text) = token.kind {
            self.next += 1;
            return Ok(Node::Text(text));
        }
        let keyword = self.keyword();
        let at = token.at;
        match keyword.as_deref() {
            Some("if") => self.branch("if").map(Node::If),
            Some("range") => self.branch("range").map(Node::Range),
            Some("with") => self.branch("with").map(Node::With),
            Some(word @ ("break" | "continue")) => {
                self.take_keyword();
                if self.loops == 0 {
                    return self.wrong(at, format!("{{{{{word}}}}} outside {{{{range}}}}"));
                }
                let node = if word == "break" { Node::Break } else { Node::Continue };
                self.expect(&Kind::Close, &format!("{{{{{word}}}}}"))?;
                Ok(node)
            }
            Some("template") => {
                self.take_keyword();
                let at = self.peek_solid().at;
                let name = self.name("template clause")?;
                let argument = self.argument("template clause")?;
                Ok(Node::Template { at, name, argument })
            }
            Some("block") => {
                self.take_keyword();
                let at = self.peek_solid().at;
                let name = self.name("block clause")?;
                let argument = Some(self.pipeline("block clause", &Kind::Close)?);
                let outer = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
                let nodes = self.body("block clause")?;
                self.variables = outer;
                self.defined.push((name.clone(), nodes));
                Ok(Node::Template { at, name, argument })
            }
            Some("define") => self.wrong(at, "unexpected {{define}}: definitions stand at the top"),
            _ => {
                self.take();
                Ok(Node::Action(self.pipeline("command", &Kind::Close)?))
            }
        }
    }

    fn argument(&mut self, context: &str) -> Parsed<Option<Pipe>> {
        if self.peek_solid().kind == Kind::Close {
            self.take();
            return Ok(None);
        }
        self.pipeline(context, &Kind::Close).map(Some)
    }

    fn branch(&mut self, context: &str) -> Parsed<Branch> {
        self.take_keyword();
        self.branch_rest(context)
    }

    /// The part after the keyword.
    fn branch_rest(&mut self, context: &str) -> Parsed<Branch> {
        self.deeper()?;
        let scope = self.variables.len();
        let pipe = self.pipeline(context, &Kind::Close)?;
        let loops = usize::from(context == "range");
        self.loops += loops;
        let (then, ender) = self.list()?;
        self.loops -= loops;
        let mut otherwise = Vec::new();
        if ender == Ender::Else {
            let next = self.peek_solid();
            match &next.kind {
                Kind::Word(word) if word == "if" && context == "if" => {
                    self.take();
                    otherwise.push(Node::If(self.branch_rest("if")?));
                }
                Kind::Word(word) if word == "with" && context == "with" => {
                    self.take();
                    otherwise.push(Node::With(self.branch_rest("with")?));
                }
                _ => {
                    self.expect(&Kind::Close, "else")?;
                    let at = self.peek().at;
                    let (nodes, ender) = self.list()?;
                    if ender == Ender::Else {
                        return self.wrong(at, "expected end; found {{else}}");
                    }
                    otherwise = nodes;
                }
            }
        }
        self.variables.truncate(scope);
        self.depth -= 1;
        Ok(Branch { pipe, then, otherwise })
    }

    fn deeper(&mut self) -> Parsed<()> {
        self.depth += 1;
        let at = self.peek().at;
        if self.depth > MAX_DEPTH { self.wrong(at, "max expression depth exceeded") } else { Ok(()) }
    }

    fn pipeline(&mut self, context: &str, end: &Kind) -> Parsed<Pipe> {
        let at = self.peek_solid().at;
        let (variables, assigns) = self.declaration(context)?;
        let mut commands: Vec<Command> = Vec::new();
        loop {
            let token = self.peek_solid();
            if token.kind == *end {
                self.take();
                if commands.is_empty() {
                    return self.wrong(token.at, format!("missing value for {context}"));
                }
                break;
            }
            match token.kind {
                Kind::Char(_)
                | Kind::Dot
                | Kind::Field(_)
                | Kind::Number(_)
                | Kind::Str(..)
                | Kind::Variable(_)
                | Kind::LeftParen => {}
                Kind::Word(ref word) if !is_keyword(word) => {}
                _ => return self.unexpected(&token, context),
            }
            let command = self.command()?;
            let runs = matches!(
                command.first.kind,
                ExprKind::Field(_)
                    | ExprKind::Function(_)
                    | ExprKind::Variable(..)
                    | ExprKind::Chain(..)
                    | ExprKind::Paren(_)
            );
            if !commands.is_empty() && !runs {
                let stage = commands.len() + 1;
                return self.wrong(token.at, format!("non executable command in pipeline stage {stage}"));
            }
            commands.push(command);
        }
        // Go detects an assignment to an undeclared variable only at run time.
        self.variables.extend(variables.iter().cloned());
        Ok(Pipe { at, variables, assigns, commands })
    }

    /// `$x :=`, `$x =`, and in a range `$i, $x :=`.
    fn declaration(&mut self, context: &str) -> Parsed<(Vec<String>, bool)> {
        let start = self.next;
        let mut names = Vec::new();
        loop {
            let token = self.peek_solid();
            let Kind::Variable(name) = token.kind else { break };
            self.take();
            names.push(name);
            let sign = self.peek_solid();
            match sign.kind {
                Kind::Declare | Kind::Assign => {
                    self.take();
                    let assigns = sign.kind == Kind::Assign;
                    return Ok((names, assigns));
                }
                Kind::Comma if context == "range" && names.len() < 2 => {
                    self.take();
                }
                Kind::Comma => {
                    return self.wrong(sign.at, format!("too many declarations in {context}"));
                }
                _ => break,
            }
        }
        self.next = start;
        Ok((Vec::new(), false))
    }

    fn command(&mut self) -> Parsed<Command> {
        let mut operands = Vec::new();
        loop {
            let next = self.peek_solid();
            if matches!(next.kind, Kind::Pipe | Kind::Close | Kind::RightParen | Kind::End) {
                break;
            }
            operands.push(self.operand()?);
            let after = self.peek();
            match after.kind {
                Kind::Space => {}
                Kind::Close | Kind::RightParen | Kind::Pipe => break,
                _ => return self.unexpected(&after, "operand"),
            }
        }
        let end = self.peek_solid();
        if end.kind == Kind::Pipe {
            self.take();
            let next = self.peek_solid();
            if matches!(next.kind, Kind::Close | Kind::RightParen) {
                return self.wrong(next.at, "missing value for command");
            }
        }
        let mut operands = operands.into_iter();
        match operands.next() {
            Some(first) => Ok(Command { first, arguments: operands.collect() }),
            None => self.wrong(end.at, "empty command"),
        }
    }

    fn operand(&mut self) -> Parsed<Expr> {
        let term = self.term()?;
        let chain_at = self.peek().at;
        let mut fields = Vec::new();
        while let Kind::Field(name) = self.peek().kind {
            fields.push(name);
            self.take();
        }
        if fields.is_empty() {
            return Ok(term);
        }
        let kind = match term.kind {
            ExprKind::Field(mut names) => {
                names.extend(fields);
                ExprKind::Field(names)
            }
            ExprKind::Variable(name, _) => ExprKind::Variable(name, fields),
            ExprKind::Constant(..) | ExprKind::Nil | ExprKind::Dot => {
                return self.wrong(chain_at, format!("unexpected . after term {:?}", term.to_string()));
            }
            _ => ExprKind::Chain(Box::new(term), fields),
        };
        Ok(Expr { at: chain_at, kind })
    }

    fn term(&mut self) -> Parsed<Expr> {
        let token = self.take_solid();
        let at = token.at;
        let constant = |value, written: &str| ExprKind::Constant(value, written.to_owned());
        let kind = match &token.kind {
            Kind::Dot => ExprKind::Dot,
            Kind::Field(name) => ExprKind::Field(vec![name.clone()]),
            Kind::Variable(name) if self.variables.contains(name) => ExprKind::Variable(name.clone(), Vec::new()),
            Kind::Variable(name) => return self.wrong(at, format!("undefined variable {name:?}")),
            Kind::Word(word) if word == "nil" => ExprKind::Nil,
            Kind::Word(word) if word == "true" || word == "false" => constant(Value::Bool(word == "true"), word),
            Kind::Word(word) if is_keyword(word) => return self.unexpected(&token, "operand"),
            Kind::Word(word) if is_builtin(word) || self.functions.has(word) => ExprKind::Function(word.clone()),
            Kind::Word(word) => return self.wrong(at, format!("function {word:?} not defined")),
            Kind::Number(written) => match number(written) {
                Some(value) => constant(value, written),
                None => return self.wrong(at, format!("bad number syntax: {written:?}")),
            },
            Kind::Char(value) => constant(Value::Int(*value), &value.to_string()),
            Kind::Str(written, value) => constant(Value::str(value.as_str()), written),
            Kind::LeftParen => {
                self.deeper()?;
                let pipe = self.pipeline("parenthesized pipeline", &Kind::RightParen)?;
                self.depth -= 1;
                ExprKind::Paren(Box::new(pipe))
            }
            _ => return self.unexpected(&token, "operand"),
        };
        Ok(Expr { at, kind })
    }
}

fn is_keyword(word: &str) -> bool {
    matches!(word, "block" | "break" | "continue" | "define" | "else" | "end" | "if" | "range" | "template" | "with")
}

fn written(kind: &Kind) -> String {
    match kind {
        Kind::Text(text) => text.clone(),
        Kind::Open => "{{".to_owned(),
        Kind::Close => "}}".to_owned(),
        Kind::Field(name) => format!(".{name}"),
        Kind::Variable(name) | Kind::Word(name) | Kind::Number(name) | Kind::Str(name, _) => name.clone(),
        Kind::Char(value) => value.to_string(),
        Kind::Dot => ".".to_owned(),
        Kind::Pipe => "|".to_owned(),
        Kind::Declare => ":=".to_owned(),
        Kind::Assign => "=".to_owned(),
        Kind::Comma => ",".to_owned(),
        Kind::LeftParen => "(".to_owned(),
        Kind::RightParen => ")".to_owned(),
        Kind::Space => " ".to_owned(),
        Kind::End => "EOF".to_owned(),
    }
}

/// A number in Go's syntax: decimal, hexadecimal, octal, binary, with underscores.
fn number(written: &str) -> Option<Value> {
    let text = written.replace('_', "");
    let (negative, digits) = match text.strip_prefix(['+', '-']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text.as_str()),
    };
    let lower = digits.to_ascii_lowercase();
    let radix = |prefix: &str, radix: u32| lower.strip_prefix(prefix).and_then(|d| i64::from_str_radix(d, radix).ok());
    let whole = if lower.len() > 1 && lower.starts_with('0') && lower.chars().all(|digit| digit.is_ascii_digit()) {
        i64::from_str_radix(&lower, 8).ok()
    } else {
        radix("0x", 16).or_else(|| radix("0o", 8)).or_else(|| radix("0b", 2)).or_else(|| lower.parse().ok())
    };
    if let Some(whole) = whole {
        return Some(Value::Int(if negative { -whole } else { whole }));
    }
    let is_decimal = lower.chars().all(|next| next.is_ascii_digit() || matches!(next, '.' | 'e' | '+' | '-'));
    let value: f64 = if is_decimal { lower.parse().ok()? } else { return None };
    // A constant with an integer value may be used as an integer; Go accepts 1e3 for 1000 too.
    Some(Value::Float(if negative { -value } else { value }))
}
