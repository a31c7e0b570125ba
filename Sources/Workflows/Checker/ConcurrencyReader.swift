import JSON

extension ActionReader {
  /// Reads the `concurrency` of a step, a group or a workflow.
  /// - Parameter role: the purpose of the key's expressions.
  mutating func concurrency(in owner: ObjectReader, role: Use.Role) -> Concurrency? {
    guard let json = owner.members["concurrency"] else { return nil }
    let what = "\"concurrency\""
    guard
      let reader = ObjectReader(
        json, at: owner.pointer(to: "concurrency"), what: what, keys: ["key", "limit"], meant: Meant.concurrency,
        report: report)
    else { return nil }
    if !reader.has("key") { reader.missing("key", of: what) }
    let limit = reader.integer(
      "limit", in: 1...Concurrency.mostLimit, meaning: "a whole number from 1 to \(Concurrency.mostLimit)")
    guard let text = reader.text("key") else { return nil }
    let pointer = reader.pointer(to: "key")
    guard let key = template(.string(text), at: pointer, role: role) else { return nil }
    if key.mayBeLeftOut {
      report.rule(
        JSONPathErrorCode.type, "\"key\" can't be left out: write a value behind ??, not nothing", at: pointer)
    }
    if case .string(let fixed)? = key.constant, let problem = Concurrency.problem(with: fixed) {
      report.rule(
        WorkflowErrorCode.badValue,
        "\"key\" \(problem): a key is a number, or a text of 1 to \(Concurrency.longestKey) characters", at: pointer)
    }
    return Concurrency(key: key, limit: limit ?? Concurrency.defaultLimit)
  }
}
