import JSON

extension ActionReader {
  private static let forEachKeys = ["items", "as", "key", "maxParallel", "toleratedFailures"]
  /// The members of the document that an item can't hide.
  private static let takenNames = ["input", "steps", "saga", "signal", "answer", ForEach.indexName]

  /// Reads the `forEach` of a step.
  mutating func forEach(in step: ObjectReader) -> ForEach? {
    guard let json = step.members["forEach"] else { return nil }
    let what = "a forEach"
    guard
      let reader = ObjectReader(
        json, at: step.pointer(to: "forEach"), what: what, keys: Self.forEachKeys, meant: Meant.forEach, report: report)
    else { return nil }
    if step.members["pivot"] == .bool(true) {
      report.error(
        WorkflowErrorCode.badValue,
        "a step with \"forEach\" can't be a pivot, because some of its items may succeed and others fail: make the step "
          + "behind it the pivot", at: step.pointer(to: "pivot"), .name)
    }
    if !reader.has("items") { reader.missing("items", of: what) }
    let items = items(in: reader)
    let name = itemName(in: reader)
    let key = reader.text("key").flatMap { text in
      self.text(text, at: reader.pointer(to: "key"), role: .key)
    }
    if let key, key.expressions.isEmpty || key.mayBeLeftOut {
      report.rule(
        WorkflowErrorCode.badValue,
        key.expressions.isEmpty
          ? "\"key\" is the same for every item: write a ${…} that reads the item, as ${\(name ?? ForEach.defaultName).id}"
          : "\"key\" can't be left out: write a value behind ??, not nothing", at: reader.pointer(to: "key"))
    }
    let parallel = reader.integer(
      "maxParallel", in: 1...ForEach.mostParallel, meaning: "a whole number from 1 to \(ForEach.mostParallel)")
    let tolerated = tolerance(in: reader)
    guard let items else { return nil }
    return ForEach(
      items: items, name: name ?? ForEach.defaultName, key: key,
      maxParallel: parallel ?? ForEach.defaultMaxParallel, tolerated: tolerated ?? .count(0))
  }

  private mutating func items(in reader: ObjectReader) -> Template? {
    guard let json = reader.members["items"] else { return nil }
    let pointer = reader.pointer(to: "items")
    switch json {
    case .array: return template(json, at: pointer, role: .items, takesMany: true)
    case .string(let text):
      // The expressions of another text are not looked at: what they find is not the fault.
      if text.hasPrefix("${"), text.hasSuffix("}") {
        guard let template = template(json, at: pointer, role: .items, takesMany: true) else { return nil }
        if template.isOneExpression { return template }
      }
      report.error(
        WorkflowErrorCode.badValue, "\"items\" is one ${…} that finds the items, as ${input.libraries[*]}", at: pointer)
    case .null, .bool, .number, .object:
      reader.wrongType("items", "one ${…} or a list", json)
    }
    return nil
  }

  private func itemName(in reader: ObjectReader) -> String? {
    guard let name = reader.text("as") else { return nil }
    let pointer = reader.pointer(to: "as")
    guard NameRule.identifier.allows(name) else {
      report.rule(
        WorkflowErrorCode.badName,
        "\"\(name)\" is not a name for an item: it begins with a letter or _ and goes on with letters, digits and _",
        at: pointer)
      return name
    }
    if Self.takenNames.contains(name) {
      report.rule(
        WorkflowErrorCode.badName, "the document has \"\(name)\" already: give the item another name", at: pointer)
    }
    return name
  }

  private func tolerance(in reader: ObjectReader) -> ForEach.Tolerance? {
    let meaning = "a number of items, or a whole percentage from \"0%\" to \"100%\""
    switch reader.members["toleratedFailures"] {
    case nil: return nil
    case .string(let text):
      if text.utf8.last == UInt8(ascii: "%"), text.utf8.count <= 4, text.utf8.dropLast().allSatisfy(isDigit),
        let percent = Int(text.dropLast()), percent <= 100
      {
        return .percent(percent)
      }
      report.error(
        WorkflowErrorCode.badValue, "\"toleratedFailures\" is \(meaning), not \"\(text)\"",
        at: reader.pointer(to: "toleratedFailures"))
      return nil
    case .some:
      return reader.integer("toleratedFailures", in: 0...ForEach.mostItems, meaning: meaning).map { .count($0) }
    }
  }

  private func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
}
