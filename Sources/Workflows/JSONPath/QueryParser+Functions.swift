import JSON
import Patterns

extension QueryParser {
  /// Parses a function call. The parser is at the parenthesis after the function's name.
  mutating func call(_ name: String, _ start: Int) throws(JSONPathError) -> Term {
    let wanted: Int
    switch name {
    case "length", "count", "value": wanted = 1
    case "match", "search": wanted = 2
    default:
      if language == .expression, let function = ExpressionFunction(rawValue: name) {
        return try call(function, start)
      }
      throw unknownFunction(name, start)
    }
    let arguments = try arguments(of: name)
    guard arguments.count == wanted else {
      let needed = wanted == 1 ? "one argument" : "two arguments, a text and a pattern"
      throw type("\(name)() takes \(needed), not \(arguments.count).", start)
    }
    switch name {
    case "length": return .value(.length(try value(arguments[0], of: name)), function: name, at: start)
    case "count": return .value(.count(try nodes(arguments[0], of: name)), function: name, at: start)
    case "value": return .value(.value(try nodes(arguments[0], of: name)), function: name, at: start)
    default:
      let text = try value(arguments[0], of: name)
      let pattern = try pattern(arguments[1], of: name)
      return .pattern(PatternTest(isWhole: name == "match", text: text, pattern: pattern), function: name, at: start)
    }
  }

  mutating func arguments(of name: String) throws(JSONPathError) -> [Term] {
    at += 1
    skipBlanks()
    var arguments: [Term] = []
    if skip(")") { return arguments }
    while true {
      skipBlanks()
      if language == .expression {
        arguments.append(try disjunction("an argument of \(name)()"))
      } else {
        if peek() == "!" || peek() == "(" { throw conditionAsArgument(name) }
        arguments.append(try term("an argument of \(name)()"))
      }
      skipBlanks()
      if skip(")") { return arguments }
      if skip(",") { continue }
      switch peek() {
      case nil: throw syntax("The text ends inside \(name)(…); ) is missing.")
      case "=", "!", "<", ">", "&", "|": throw conditionAsArgument(name)
      default: throw syntax("A comma or ) was expected in \(name)(…), not \(found()).")
      }
    }
  }

  private func conditionAsArgument(_ name: String) -> JSONPathError {
    type("\(name)() takes a value or a query, not a condition.", at)
  }

  private func value(_ argument: Term, of name: String) throws(JSONPathError) -> Operand {
    switch argument {
    case .computed(let operand, _): return operand
    case .logical(_, let start): throw type("\(name)() takes a value or a query, not a condition.", start)
    case .nothing(let start), .optional(_, let start): throw misplacedNothing(start)
    case .literal(let value, _): return .literal(value)
    case .value(let operand, _, _): return operand
    case .query(let query): return .node(try singular(query, "\(name)()"))
    case .pattern(_, let inner, let start):
      throw type("\(name)() takes a value; \(inner)() is true or false, and none.", start)
    }
  }

  private func nodes(_ argument: Term, of name: String) throws(JSONPathError) -> SubQuery {
    switch argument {
    case .query(let query): return SubQuery(query)
    case .nothing(let start), .optional(_, let start): throw misplacedNothing(start)
    case .literal(_, let start), .value(_, _, let start), .pattern(_, _, let start), .computed(_, let start),
      .logical(_, let start):
      throw type("\(name)() takes a query, as in \(name)(@.items[*]).", start)
    }
  }

  private mutating func pattern(_ argument: Term, of name: String) throws(JSONPathError) -> PatternTest.Pattern {
    guard case .literal(let literal, let start) = argument else { return .computed(try value(argument, of: name)) }
    guard case .string(let source) = literal else {
      patternFaults.append(fault("The pattern of \(name)() is no text, so it never holds.", start))
      return .literal(nil)
    }
    do throws(PatternError) {
      try IRegexp.check(source)
      return .literal(source)
    } catch {
      patternFaults.append(
        fault("The pattern '\(shown(source))' is no I-Regexp, so \(name)() never holds: \(error.message)", start))
      return .literal(nil)
    }
  }

  private func fault(_ message: String, _ start: Int) -> JSONPathError {
    JSONPathError(code: JSONPathErrorCode.pattern, message: message, at: start)
  }

  /// Returns a pattern, shortened for a message.
  private func shown(_ pattern: String) -> String {
    let scalars = pattern.unicodeScalars
    return scalars.count <= 100 ? pattern : String(String.UnicodeScalarView(scalars.prefix(100))) + "…"
  }
}
