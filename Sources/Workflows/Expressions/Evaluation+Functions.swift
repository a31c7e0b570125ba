import JSON
import Values

extension Evaluation {
  func call(_ function: ExpressionFunction, _ arguments: [Argument], for node: JSON) -> JSON? {
    switch function {
    case .list: return nodes(arguments[0], for: node, function).map { .array($0) }
    case .first: return nodes(arguments[0], for: node, function, atMost: 1)?.first
    case .sum, .min, .max, .avg, .join, .distinct:
      guard let nodes = nodes(arguments[0], for: node, function) else { return nil }
      return fold(function, nodes, arguments, for: node)
    case .upper, .lower, .trim, .replace, .split, .seconds, .duration:
      guard let texts = texts(arguments, for: node, function) else { return nil }
      return onText(function, texts)
    case .text: return value(arguments[0], for: node).flatMap(text)
    case .number: return value(arguments[0], for: node).flatMap(number)
    case .round, .floor, .ceil, .abs, .timestamp:
      guard let number = value(arguments[0], for: node).flatMap({ number($0, "\(function.rawValue)()") }) else {
        return nil
      }
      return onNumber(function, number, arguments, for: node)
    }
  }

  // MARK: Arguments

  private func value(_ argument: Argument, for node: JSON) -> JSON? {
    switch argument {
    case .value(let operand), .elements(let operand): value(of: operand, for: node)
    case .nodes(let sub): one(sub, for: node)
    }
  }

  /// Returns the values that a query finds, or the elements of a computed list.
  private func nodes(
    _ argument: Argument, for node: JSON, _ function: ExpressionFunction, atMost most: Int = .max
  ) -> [JSON]? {
    switch argument {
    case .nodes(let sub):
      var found: [JSON] = []
      visitInner(sub.query, from: node) { value, _ in
        guard meter.charge(Self.stepsOfKept) else { return false }
        found.append(value)
        return found.count < most
      }
      return meter.exceeded == nil ? found : nil
    case .elements(let operand), .value(let operand):
      guard let value = value(of: operand, for: node) else { return nil }
      guard case .array(let values) = value else { return fail(needs: "a list", "\(function.rawValue)()", value) }
      return meter.charge(values.count) ? values : nil
    }
  }

  /// The steps that a kept value costs: approximately its memory.
  private static let stepsOfKept = 8

  private func texts(_ arguments: [Argument], for node: JSON, _ function: ExpressionFunction) -> [String]? {
    var texts: [String] = []
    for argument in arguments {
      guard let value = value(argument, for: node) else { return nil }
      guard case .string(let text) = value else { return fail(needs: "a text", "\(function.rawValue)()", value) }
      guard meter.charge(text: text.utf8.count) else { return nil }
      texts.append(text)
    }
    return texts
  }

  // MARK: Over nodes

  private func fold(_ function: ExpressionFunction, _ nodes: [JSON], _ arguments: [Argument], for node: JSON) -> JSON? {
    switch function {
    case .distinct:
      var seen: Set<JSON> = []
      var kept: [JSON] = []
      for value in nodes {
        guard meter.read(value) else { return nil }
        if seen.insert(value).inserted { kept.append(value) }
      }
      return .array(kept)
    case .join: return join(nodes, arguments, for: node)
    case .min, .max: return extreme(nodes, isLargest: function == .max)
    case .sum, .avg:
      var total = Decimal34.zero
      for value in nodes {
        guard meter.charge(), let number = number(value, "\(function.rawValue)()") else { return nil }
        guard let sum = total + number else { return outOfRange() }
        total = sum
      }
      if function == .sum { return result(total) }
      guard !nodes.isEmpty else { return nil }
      guard let average = total / Decimal34(nodes.count) else { return outOfRange() }
      return result(average)
    case .list, .first, .upper, .lower, .trim, .replace, .split, .text, .number, .round, .floor, .ceil, .abs, .seconds,
      .timestamp, .duration:
      return nil
    }
  }

  private func join(_ nodes: [JSON], _ arguments: [Argument], for node: JSON) -> JSON? {
    var separator = ""
    if arguments.count > 1 {
      guard let texts = texts([arguments[1]], for: node, .join) else { return nil }
      separator = texts[0]
    }
    var result = ""
    for (index, value) in nodes.enumerated() {
      guard case .string(let text)? = scalarText(value, "join()") else { return nil }
      guard meter.put(text.utf8.count + separator.utf8.count) else { return nil }
      result += index == 0 ? text : separator + text
    }
    return .string(result)
  }

  /// Returns the smallest or largest of numbers, or of texts by their scalars; nil when there is none.
  private func extreme(_ nodes: [JSON], isLargest: Bool) -> JSON? {
    let user = isLargest ? "max()" : "min()"
    guard var best = nodes.first else { return nil }
    switch best {
    case .number, .string: break
    case .null, .bool, .array, .object: return fail(needs: "numbers or texts", user, best)
    }
    for value in nodes.dropFirst() {
      switch (best, value) {
      case (.number(let left), .number(let right)):
        guard meter.charge(left, right) else { return nil }
        if left != right, (left < right) == isLargest { best = value }
      case (.string(let left), .string(let right)):
        guard meter.charge(text: Swift.min(left.utf8.count, right.utf8.count)) else { return nil }
        if !left.hasSameScalars(as: right), left.utf8.lexicographicallyPrecedes(right.utf8) == isLargest {
          best = value
        }
      default: return fail(needs: "only numbers or only texts", user, value)
      }
    }
    return best
  }

  // MARK: On text

  private func onText(_ function: ExpressionFunction, _ texts: [String]) -> JSON? {
    let text = texts[0]
    switch function {
    case .upper: return composed(text.uppercased())
    case .lower: return composed(text.lowercased())
    case .trim:
      let scalars = text.unicodeScalars
      let isSpace = { (scalar: Unicode.Scalar) in scalar.properties.isWhitespace }
      guard let first = scalars.firstIndex(where: { !isSpace($0) }),
        let last = scalars.lastIndex(where: { !isSpace($0) })
      else { return "" }
      return composed(String(scalars[first...last]))
    case .replace:
      guard let parts = parts(of: text, at: texts[1], "replace()") else { return nil }
      guard meter.put(text.utf8.count + (parts.count - 1) * texts[2].utf8.count) else { return nil }
      return .string(parts.joined(separator: texts[2]))
    case .split:
      guard let parts = parts(of: text, at: texts[1], "split()"), meter.charge(Self.stepsOfKept * parts.count),
        meter.put(text.utf8.count)
      else { return nil }
      return .array(parts.map { .string($0) })
    case .seconds:
      guard let timestamp = Timestamp(text) else {
        return fail(badArgument: "seconds()", "a timestamp, as 2026-01-31T12:00:00Z", text)
      }
      return (Decimal34(Int(timestamp.milliseconds)) / Decimal34(1_000)).flatMap(result)
    case .duration:
      guard let duration = DurationText.parse(text) else {
        return fail(badArgument: "duration()", "a duration, as 30s, 5m, 24h or 7d", text)
      }
      return (Decimal34(Int(duration / .milliseconds(1))) / Decimal34(1_000)).flatMap(result)
    case .list, .first, .sum, .min, .max, .avg, .join, .distinct, .text, .number, .round, .floor, .ceil, .abs,
      .timestamp:
      return nil
    }
  }

  private func composed(_ text: String) -> JSON? { meter.put(text.utf8.count) ? .string(text) : nil }

  /// Splits a text, byte by byte, at each place where the separator is.
  private func parts(of text: String, at separator: String, _ user: String) -> [String]? {
    let wanted = Array(separator.utf8)
    guard let first = wanted.first else { return fail(badArgument: user, "a separator of at least one character", "") }
    let bytes = Array(text.utf8)
    var parts: [String] = []
    var start = 0
    var position = 0
    while position + wanted.count <= bytes.count {
      guard bytes[position] == first else {
        position += 1
        continue
      }
      var matched = 1
      while matched < wanted.count, bytes[position + matched] == wanted[matched] { matched += 1 }
      guard meter.charge(text: matched) else { return nil }
      if matched == wanted.count {
        parts.append(String(decoding: bytes[start..<position], as: UTF8.self))
        position += matched
        start = position
      } else {
        position += 1
      }
    }
    parts.append(String(decoding: bytes[start...], as: UTF8.self))
    return parts
  }

  /// Returns a value as text; an object, a list and null as JSON.
  private func text(_ value: JSON) -> JSON? {
    switch value {
    case .string: return value
    case .number(let number): return composed(number.text)
    case .bool, .null, .array, .object:
      guard meter.produce(value) else { return nil }
      return composed(value.text())
    }
  }

  /// Returns a value as a part of a longer text.
  private func scalarText(_ value: JSON, _ user: String) -> JSON? {
    switch value {
    case .string, .number, .bool: text(value)
    case .null, .array, .object: fail(needs: "texts, numbers, true or false", user, value)
    }
  }

  // MARK: On numbers

  private func number(_ value: JSON) -> JSON? {
    switch value {
    case .number: return value
    case .string(let text):
      guard meter.charge(text: text.utf8.count) else { return nil }
      guard text.utf8.count <= 1_000, case .number(let number)? = try? JSON(parsing: text) else {
        return fail(badArgument: "number()", "a number, as 12 or 0.5", text)
      }
      return .number(number)
    case .null, .bool, .array, .object: return fail(needs: "a text or a number", "number()", value)
    }
  }

  private func onNumber(
    _ function: ExpressionFunction, _ number: Decimal34, _ arguments: [Argument], for node: JSON
  ) -> JSON? {
    switch function {
    case .abs: return result(number.magnitude)
    case .floor: return rounded(number, .down, digits: 0)
    case .ceil: return rounded(number, .up, digits: 0)
    case .round:
      guard arguments.count > 1 else { return rounded(number, .nearest, digits: 0) }
      guard let places = value(arguments[1], for: node).flatMap({ self.number($0, "round()") }) else { return nil }
      guard let digits = places.intValue, Swift.abs(digits) <= Decimal34.precision else {
        return fail(badArgument: "round()", "a whole number of digits, at most \(Decimal34.precision)", places.text)
      }
      return rounded(number, .nearest, digits: digits)
    case .timestamp:
      guard let milliseconds = (number * Decimal34(1_000))?.rounded(.nearest)?.intValue,
        Self.timestamps.contains(milliseconds)
      else { return fail(badArgument: "timestamp()", "a number of seconds since 1970", number.text) }
      return .timestamp(Timestamp(milliseconds: Int64(milliseconds)))
    case .list, .first, .sum, .min, .max, .avg, .join, .distinct, .upper, .lower, .trim, .replace, .split, .text,
      .number, .seconds, .duration:
      return nil
    }
  }

  private func rounded(_ number: Decimal34, _ rounding: Decimal34.Rounding, digits: Int) -> JSON? {
    guard let rounded = number.rounded(rounding, digits: digits) else { return outOfRange() }
    return result(rounded)
  }

  /// The milliseconds of the years 0000 to 9999, which RFC 3339 can write.
  private static let timestamps = -62_167_219_200_000...253_402_300_799_999

  private func fail<Value>(badArgument user: String, _ wanted: String, _ text: String) -> Value? {
    let shown = String(String.UnicodeScalarView(text.unicodeScalars.prefix(100)))
    return fail(WorkflowErrorCode.expressionBadArgument, "\(user) needs \(wanted), and the value is \"\(shown)\"")
  }
}

extension Meter {
  /// Charges for reading a whole value.
  fileprivate func read(_ value: JSON) -> Bool {
    guard charge() else { return false }
    switch value {
    case .null, .bool: return true
    case .number(let number): return charge(text: number.textLength)
    case .string(let text): return charge(text: text.utf8.count)
    case .array(let values): return values.allSatisfy(read)
    case .object(let members): return members.allSatisfy { charge(text: $0.name.utf8.count) && read($0.value) }
    }
  }
}
