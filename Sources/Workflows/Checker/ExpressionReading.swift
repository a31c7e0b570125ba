import JSON

/// Reads the expressions of a file that is not a workflow: of a stream, or of the rules of the stub. The conforming type
/// knows what such expressions may read.
package protocol ExpressionReading {
  var report: Report { get }

  /// Reports what queries read that is not there.
  /// - Parameters:
  ///   - pointer: the string of the expression.
  ///   - offset: the start of the expression in that string, in scalars.
  func check(_ queries: [ReferencedQuery], at pointer: JSONPointer, offset: Int)
}

extension ExpressionReading {
  package func path(_ name: String, in reader: ObjectReader) -> JSONPath? {
    expression(name, in: reader) { text throws(JSONPathError) in
      let path = try JSONPath(text)
      return (path, path.referencedQueries, path.patternFaults)
    }
  }

  package func condition(_ name: String, in reader: ObjectReader) -> JSONPathCondition? {
    expression(name, in: reader) { text throws(JSONPathError) in
      let condition = try JSONPathCondition(text)
      return (condition, condition.referencedQueries, condition.patternFaults)
    }
  }

  /// Reads a template. Reports every mistake in it.
  package func template(_ json: JSON, at pointer: JSONPointer) -> Template? {
    for (inner, expression) in Template.expressions(in: json) {
      check(
        expression.referencedQueries, expression.patternFaults, at: pointer.appending(inner), offset: expression.offset)
    }
    let mistakes = Template.mistakes(in: json)
    for mistake in mistakes {
      report.error(mistake.code, mistake.message, at: pointer.appending(mistake.pointer), .inside(mistake.offset))
    }
    return mistakes.isEmpty ? try? Template(json) : nil
  }

  private func expression<Read>(
    _ name: String, in reader: ObjectReader,
    _ read: (String) throws(JSONPathError) -> (Read, queries: [ReferencedQuery], faults: [JSONPathError])
  ) -> Read? {
    guard let text = reader.text(name) else { return nil }
    let pointer = reader.pointer(to: name)
    do {
      let (expression, queries, faults) = try read(text)
      check(queries, faults, at: pointer, offset: 0)
      return expression
    } catch {
      report.error(error.code, error.message, at: pointer, .inside(error.at))
      return nil
    }
  }

  private func check(
    _ queries: [ReferencedQuery], _ faults: [JSONPathError], at pointer: JSONPointer, offset: Int
  ) {
    for fault in faults { report.error(fault.code, fault.message, at: pointer, .inside(max(0, offset + fault.at))) }
    check(queries, at: pointer, offset: offset)
  }
}
