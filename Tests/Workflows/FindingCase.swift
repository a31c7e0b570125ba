import Testing

@testable import Workflows

/// A workflow with mistakes, and what the checker is to say of them.
struct FindingCase: CustomTestStringConvertible {
  let testDescription: String
  /// Begins in line 2, column 10.
  let steps: String
  /// Begins in line 1, column 30.
  let more: String
  let found: [Found]

  init(_ name: String, _ steps: String, more: String = "", _ found: [Found]) {
    testDescription = name
    self.steps = steps
    self.more = more
    self.found = found
  }
}
