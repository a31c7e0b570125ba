import Values

/// The results of tests as JUnit's XML, which CI systems read. Its size is bounded: long texts are cut.
package struct JUnitReport: Sendable {
  package struct Suite: Sendable {
    package let name: String
    package let file: String
    package var cases: [Case] = []

    package init(name: String, file: String) {
      self.name = name
      self.file = file
    }
  }

  package struct Case: Sendable {
    package let name: String
    package let line: Int
    /// The time that the saga takes, which the test skips.
    package let takes: Duration
    /// Nil when the case has passed.
    package let failure: (message: String, text: String)?

    package init(name: String, line: Int, takes: Duration, failure: (message: String, text: String)?) {
      self.name = name
      self.line = line
      self.takes = takes
      self.failure = failure
    }
  }

  /// The most Unicode scalars of an attribute, and of the text of a failure.
  static let longestAttribute = 1_000
  static let longestText = 20_000

  package var suites: [Suite]

  package init(_ suites: [Suite]) { self.suites = suites }

  package var xml: String {
    let all = suites.flatMap(\.cases)
    var lines = [#"<?xml version="1.0" encoding="UTF-8"?>"#]
    lines.append("<testsuites name=\"saga test\" \(Self.counts(all))>")
    for suite in suites {
      lines.append(
        "  <testsuite name=\"\(Self.attribute(suite.name))\" file=\"\(Self.attribute(suite.file))\" "
          + "\(Self.counts(suite.cases))>")
      for test in suite.cases { lines += Self.lines(of: test, in: suite) }
      lines.append("  </testsuite>")
    }
    lines.append("</testsuites>")
    return lines.joined(separator: "\n") + "\n"
  }

  private static func counts(_ cases: [Case]) -> String {
    "tests=\"\(cases.count)\" failures=\"\(cases.count { $0.failure != nil })\" errors=\"0\" skipped=\"0\""
  }

  private static func lines(of test: Case, in suite: Suite) -> [String] {
    let head =
      "    <testcase name=\"\(attribute(test.name))\" classname=\"\(attribute(suite.name))\" "
      + "file=\"\(attribute(suite.file))\" line=\"\(test.line)\" time=\"\(seconds(test.takes))\""
    guard let failure = test.failure else { return [head + "/>"] }
    return [
      head + ">",
      "      <failure message=\"\(attribute(failure.message))\" type=\"difference\">\(text(failure.text))</failure>",
      "    </testcase>",
    ]
  }

  private static func seconds(_ duration: Duration) -> String {
    let milliseconds = duration.wholeMilliseconds
    let rest = String(milliseconds % 1_000)
    return "\(milliseconds / 1_000)." + String(repeating: "0", count: 3 - rest.count) + rest
  }

  private static func attribute(_ text: String) -> String {
    escaped(text, most: longestAttribute) { scalar in
      switch scalar {
      case "\"": "&quot;"
      case "\n": "&#10;"
      case "\t": "&#9;"
      case "\r": "&#13;"
      default: nil
      }
    }
  }

  private static func text(_ text: String) -> String {
    escaped(text, most: longestText) { scalar in scalar == "\r" ? "&#13;" : nil }
  }

  /// Escapes a text. XML 1.0 has no form at all for most control characters; they become U+FFFD.
  private static func escaped(
    _ text: String, most: Int, _ special: (Unicode.Scalar) -> String?
  ) -> String {
    var result = ""
    var count = 0
    for scalar in text.unicodeScalars {
      guard count < most else { return result + "…" }
      count += 1
      if let replacement = special(scalar) {
        result += replacement
        continue
      }
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      default: result.unicodeScalars.append(isAllowed(scalar) ? scalar : "\u{FFFD}")
      }
    }
    return result
  }

  private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x9, 0xA, 0xD, 0x20...0xD7FF, 0xE000...0xFFFD, 0x10000...0x10FFFF: true
    default: false
    }
  }
}
