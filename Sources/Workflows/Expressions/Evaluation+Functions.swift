import JSON
import Values

extension Evaluation {
  func call(_ function: ExpressionFunction, _ arguments: [Argument], for node: JSON) -> JSON? {
    let user = "\(function.rawValue)()"
    func nodes(atMost most: Int = .max) -> [JSON]? { self.nodes(arguments[0], for: node, user, atMost: most) }
    func text(_ index: Int = 0) -> String? { self.text(arguments[index], for: node, user) }
    func number(_ index: Int = 0) -> Decimal34? { value(arguments[index], for: node).flatMap { self.number($0, user) } }
    switch function {
    case .list: return nodes().map { .array($0) }
    case .first: return nodes(atMost: 1)?.first
    case .sum: return nodes().flatMap { sum($0, user) }.flatMap(result)
    case .avg: return nodes().flatMap { average($0, user) }
    case .min: return nodes().flatMap { extreme($0, isLargest: false) }
    case .max: return nodes().flatMap { extreme($0, isLargest: true) }
    case .distinct: return nodes().flatMap(distinct)
    case .join:
      guard let values = nodes(), let separator = arguments.count > 1 ? text(1) : "" else { return nil }
      return join(values, separator)
    case .upper: return text().flatMap { composed($0.uppercased()) }
    case .lower: return text().flatMap { composed($0.lowercased()) }
    case .trim: return text().flatMap { composed(Self.trimmed($0)) }
    case .replace:
      guard let whole = text(), let old = text(1), let new = text(2) else { return nil }
      return replace(whole, old, new)
    case .split:
      guard let whole = text(), let separator = text(1) else { return nil }
      return split(whole, separator)
    case .seconds: return text().flatMap(seconds)
    case .duration: return text().flatMap(duration)
    case .text: return value(arguments[0], for: node).flatMap(self.text)
    case .number: return value(arguments[0], for: node).flatMap(self.number)
    case .abs: return number().flatMap { result($0.magnitude) }
    case .floor: return number().flatMap { rounded($0, .down, digits: 0) }
    case .ceil: return number().flatMap { rounded($0, .up, digits: 0) }
    case .round:
      guard let value = number(), let places = arguments.count > 1 ? number(1) : .zero else { return nil }
      return round(value, places)
    case .timestamp: return number().flatMap(timestamp)
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
    _ argument: Argument, for node: JSON, _ user: String, atMost most: Int
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
      guard case .array(let values) = value else { return fail(needs: "a list", user, value) }
      return meter.charge(values.count) ? values : nil
    }
  }

  /// The steps that a kept value costs: approximately its memory.
  private static let stepsOfKept = 8

  private func text(_ argument: Argument, for node: JSON, _ user: String) -> String? {
    guard let value = value(argument, for: node) else { return nil }
    guard case .string(let text) = value else { return fail(needs: "a text", user, value) }
    return meter.charge(text: text.utf8.count) ? text : nil
  }

  // MARK: Over nodes

  private func distinct(_ nodes: [JSON]) -> JSON? {
    var seen: Set<JSON> = []
    var kept: [JSON] = []
    for value in nodes {
      guard meter.read(value) else { return nil }
      if seen.insert(value).inserted { kept.append(value) }
    }
    return .array(kept)
  }

  private func sum(_ nodes: [JSON], _ user: String) -> Decimal34? {
    var total = Decimal34.zero
    for value in nodes {
      guard meter.charge(), let number = number(value, user) else { return nil }
      guard let sum = total + number else { return outOfRange() }
      total = sum
    }
    return total
  }

  /// Returns nil when there are no values.
  private func average(_ nodes: [JSON], _ user: String) -> JSON? {
    guard let total = sum(nodes, user), !nodes.isEmpty else { return nil }
    guard let average = total / Decimal34(nodes.count) else { return outOfRange() }
    return result(average)
  }

  private func join(_ nodes: [JSON], _ separator: String) -> JSON? {
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

  private static func trimmed(_ text: String) -> String {
    let scalars = text.unicodeScalars
    func isSpace(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.isWhitespace }
    guard let first = scalars.firstIndex(where: { !isSpace($0) }), let last = scalars.lastIndex(where: { !isSpace($0) })
    else { return "" }
    return String(scalars[first...last])
  }

  private func replace(_ text: String, _ old: String, _ new: String) -> JSON? {
    guard let parts = parts(of: text, at: old, "replace()"),
      meter.put(text.utf8.count + (parts.count - 1) * new.utf8.count)
    else { return nil }
    return .string(parts.joined(separator: new))
  }

  private func split(_ text: String, _ separator: String) -> JSON? {
    guard let parts = parts(of: text, at: separator, "split()"), meter.charge(Self.stepsOfKept * parts.count),
      meter.put(text.utf8.count)
    else { return nil }
    return .array(parts.map { .string($0) })
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

  private func round(_ number: Decimal34, _ places: Decimal34) -> JSON? {
    guard let digits = places.intValue, abs(digits) <= Decimal34.precision else {
      return fail(badArgument: "round()", "a whole number of digits, at most \(Decimal34.precision)", places.text)
    }
    return rounded(number, .nearest, digits: digits)
  }

  private func rounded(_ number: Decimal34, _ rounding: Decimal34.Rounding, digits: Int) -> JSON? {
    guard let rounded = number.rounded(rounding, digits: digits) else { return outOfRange() }
    return result(rounded)
  }

  // MARK: On time

  private func seconds(_ text: String) -> JSON? {
    guard let timestamp = Timestamp(text) else {
      return fail(badArgument: "seconds()", "a timestamp, as 2026-01-31T12:00:00Z", text)
    }
    return inSeconds(Int(timestamp.milliseconds))
  }

  private func duration(_ text: String) -> JSON? {
    guard let duration = DurationText.parse(text) else {
      return fail(badArgument: "duration()", "a duration, as 30s, 5m, 24h or 7d", text)
    }
    return inSeconds(duration.wholeMilliseconds)
  }

  private func inSeconds(_ milliseconds: Int) -> JSON? {
    (Decimal34(milliseconds) / Decimal34(1_000)).flatMap(result)
  }

  private func timestamp(_ seconds: Decimal34) -> JSON? {
    guard let milliseconds = (seconds * Decimal34(1_000))?.rounded(.nearest)?.intValue,
      Self.timestamps.contains(milliseconds)
    else { return fail(badArgument: "timestamp()", "a number of seconds since 1970", seconds.text) }
    return .timestamp(Timestamp(milliseconds: Int64(milliseconds)))
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
