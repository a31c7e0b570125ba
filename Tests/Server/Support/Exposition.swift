/// A strict reader of Prometheus' text format, version 0.0.4: what a server would make of an answer.
struct Exposition {
  struct Metric: Equatable {
    var help: String?
    var type: String?
    /// By their labels.
    var samples: [[String: String]: Double] = [:]
  }
  struct Wrong: Error, CustomStringConvertible {
    let description: String
  }

  private(set) var metrics: [String: Metric] = [:]

  /// The value of the one sample that has no labels.
  subscript(_ name: String) -> Double? { metrics[name]?.samples[[:]] }

  init(_ text: String) throws {
    guard text.hasSuffix("\n") else { throw Wrong(description: "The last line has no end.") }
    var last = ""
    for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
      let name: String
      if line.hasPrefix("# ") {
        name = try comment(line)
      } else {
        name = try sample(line)
      }
      guard name == last || metrics[name]?.samples.isEmpty ?? true else {
        throw Wrong(description: "The lines of \(name) don't stand together.")
      }
      last = name
    }
    for (name, metric) in metrics {
      guard metric.help != nil, metric.type != nil, !metric.samples.isEmpty else {
        throw Wrong(description: "\(name) lacks its help, its type or its samples.")
      }
      guard (metric.type == "counter") == name.hasSuffix("_total") else {
        throw Wrong(description: "\(name) is named as something else than the \(metric.type ?? "") that it is.")
      }
    }
  }

  private mutating func comment(_ line: Substring) throws -> String {
    let words = line.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false)
    guard words.count == 4, Self.isName(words[2]) else { throw Wrong(description: "No comment: \(line)") }
    let name = String(words[2])
    switch words[1] {
    case "HELP" where metrics[name] == nil:
      metrics[name] = Metric(help: try Self.unescaped(words[3], also: false))
    case "TYPE" where metrics[name]?.type == nil && ["counter", "gauge"].contains(words[3]):
      metrics[name]?.type = String(words[3])
    default: throw Wrong(description: "Out of place: \(line)")
    }
    return name
  }

  private mutating func sample(_ line: Substring) throws -> String {
    guard let space = line.lastIndex(of: " "), let value = Double(line[line.index(after: space)...]) else {
      throw Wrong(description: "No value: \(line)")
    }
    let series = line[..<space]
    let brace = series.firstIndex(of: "{") ?? series.endIndex
    let name = String(series[..<brace])
    guard Self.isName(name[...]), metrics[name]?.type != nil else { throw Wrong(description: "No name: \(line)") }
    let labels = try Self.labels(series[brace...])
    guard metrics[name]?.samples.updateValue(value, forKey: labels) == nil else {
      throw Wrong(description: "Twice: \(line)")
    }
    return name
  }

  private static func labels(_ text: Substring) throws -> [String: String] {
    guard !text.isEmpty else { return [:] }
    guard text.hasSuffix("}") else { throw Wrong(description: "No labels: \(text)") }
    var labels: [String: String] = [:]
    var rest = text.dropFirst().dropLast()
    while !rest.isEmpty {
      guard let equals = rest.firstRange(of: "=\""), isName(rest[..<equals.lowerBound]) else {
        throw Wrong(description: "No label: \(rest)")
      }
      let name = String(rest[..<equals.lowerBound])
      var value = ""
      rest = rest[equals.upperBound...]
      while let character = rest.first, character != "\"" {
        value.append(character)
        rest.removeFirst()
        if character == "\\", let next = rest.popFirst() { value.append(next) }
      }
      guard rest.popFirst() == "\"", labels.updateValue(try unescaped(value[...], also: true), forKey: name) == nil
      else { throw Wrong(description: "No value of \(name): \(text)") }
      guard rest.isEmpty || rest.popFirst() == "," else { throw Wrong(description: "No comma: \(text)") }
    }
    return labels
  }

  private static func unescaped(_ text: Substring, also quote: Bool) throws -> String {
    var result = ""
    var rest = text
    while let character = rest.popFirst() {
      guard character == "\\" else {
        result.append(character)
        continue
      }
      switch rest.popFirst() {
      case "n": result.append("\n")
      case "\\": result.append("\\")
      case "\"" where quote: result.append("\"")
      default: throw Wrong(description: "No escape: \(text)")
      }
    }
    return result
  }

  private static func isName(_ text: Substring) -> Bool {
    text.wholeMatch(of: /[a-zA-Z_:][a-zA-Z0-9_:]*/) != nil
  }
}
