/// A strict reader of Prometheus' text format, version 0.0.4: what a server would make of an answer.
struct Exposition {
  struct Metric: Equatable {
    var help: String?
    var type: String?
    /// By their labels. A histogram has them under the names `_bucket`, `_sum` and `_count`, in the label `part`.
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
      if metric.type == "histogram" { try metric.checkBuckets(of: name) }
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
    case "TYPE" where metrics[name]?.type == nil && ["counter", "gauge", "histogram"].contains(words[3]):
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
    var name = String(series[..<brace])
    var labels = try Self.labels(series[brace...])
    for part in ["bucket", "sum", "count"] where metrics[name] == nil && name.hasSuffix("_\(part)") {
      name.removeLast(part.count + 1)
      labels["part"] = part
    }
    guard Self.isName(name[...]), metrics[name]?.type != nil,
      (labels["part"] != nil) == (metrics[name]?.type == "histogram")
    else { throw Wrong(description: "No name: \(line)") }
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

extension Exposition.Metric {
  /// Checks that the buckets of each series only grow, and that the last one has every value.
  fileprivate func checkBuckets(of name: String) throws {
    for (labels, count) in samples where labels["part"] == "count" {
      func isSame(_ other: [String: String]) -> Bool {
        var (one, two) = (labels, other)
        for label in ["part", "le"] { (one[label], two[label]) = (nil, nil) }
        return one == two
      }
      let buckets = samples.filter { $0.key["part"] == "bucket" && isSame($0.key) }.compactMap { labels, value in
        labels["le"].flatMap { $0 == "+Inf" ? Double.infinity : Double($0) }.map { (bound: $0, value: value) }
      }.sorted { $0.bound < $1.bound }
      guard buckets.last?.bound == .infinity, buckets.last?.value == count,
        zip(buckets, buckets.dropFirst()).allSatisfy({ $0.value <= $1.value }),
        samples.contains(where: { $0.key["part"] == "sum" && isSame($0.key) })
      else { throw Exposition.Wrong(description: "The buckets of \(name) don't add up: \(labels)") }
    }
  }
}
