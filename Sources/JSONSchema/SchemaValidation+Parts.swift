import JSON
import Patterns
import Values

// The rules on the elements of an array and on the members of an object.
extension SchemaValidation {
  // MARK: Arrays

  mutating func check(
    _ values: [JSON], _ rule: ArrayRule, _ node: Int, _ evaluated: inout EvaluatedParts
  ) -> Bool {
    switch rule {
    case .maxItems(let limit):
      return values.count <= limit
        || refuse(node, "maxItems") { "\($0) has \(SchemaText.elements(values)); the schema allows at most \(limit)" }
    case .minItems(let limit):
      return values.count >= limit
        || refuse(node, "minItems") {
          "\($0) has \(SchemaText.elements(values)); the schema asks for at least \(limit)"
        }
    case .uniqueItems: return checkUnique(values, node)
    case .elements(let prefix, let items): return checkElements(values, prefix, items, node, &evaluated)
    case .contains(let part, let least, let most):
      return checkContains(values, part, least, most, node, &evaluated)
    }
  }

  /// Compares by canonical text, because equal values have equal canonical texts. So the work is linear in the size of
  /// the array.
  private mutating func checkUnique(_ values: [JSON], _ node: Int) -> Bool {
    guard values.count > 1 else { return true }
    var known: [ScalarKey: Int] = [:]
    var isUnique = true
    for (index, value) in values.enumerated() {
      let text = value.text(.canonical)
      guard meter.charge(1 + text.utf8.count >> 3) else { return false }
      if let first = known[ScalarKey(text)] {
        isUnique = refuse(node, "uniqueItems") {
          "\($0) has equal elements at \(first) and \(index); the schema allows each element once"
        }
        // One pair for each element is enough.
        if !isCollecting { return false }
      } else {
        known[ScalarKey(text)] = index
      }
    }
    return isUnique
  }

  private mutating func checkElements(
    _ values: [JSON], _ prefix: [Int], _ items: Int?, _ node: Int, _ evaluated: inout EvaluatedParts
  ) -> Bool {
    var isValid = true
    for (index, value) in values.enumerated() {
      guard meter.charge(1) else { return false }
      guard let part = index < prefix.count ? prefix[index] : items else { break }
      if index < prefix.count { evaluated.insert(index) }
      if index >= prefix.count, schema.nodes[part].allowsNothing {
        return refuse(part, nil) {
          "\($0) has \(SchemaText.elements(values)); the schema allows at most \(prefix.count)"
        }
      }
      if !evaluateInside(part, value, .index(index)) {
        isValid = false
        if !isCollecting { return false }
      }
    }
    if items != nil { evaluated.insertAll() }
    return isValid
  }

  private mutating func checkContains(
    _ values: [JSON], _ part: Int, _ least: Int?, _ most: Int?, _ node: Int, _ evaluated: inout EvaluatedParts
  ) -> Bool {
    let wanted = least ?? 1
    var found = 0
    for (index, value) in values.enumerated() {
      guard meter.charge(1) else { return false }
      var inner = EvaluatedParts(isNeeded: false)
      guard accepts(part, value, &inner) else { continue }
      found += 1
      evaluated.insert(index)
      if !evaluated.isNeeded, !isCollecting, found >= wanted, most == nil { return true }
    }
    guard meter.exceeded == nil else { return false }
    if found < wanted {
      return refuse(node, least == nil ? "contains" : "minContains") {
        "\($0) has \(SchemaText.count(found, "element")) of the kind in \"contains\"; the schema asks for at least "
          + "\(wanted)"
      }
    }
    if let most, found > most {
      return refuse(node, "maxContains") {
        "\($0) has \(SchemaText.count(found, "element")) of the kind in \"contains\"; the schema allows at most "
          + "\(most)"
      }
    }
    return true
  }

  mutating func checkUnevaluated(_ values: [JSON], _ part: Int, _ evaluated: inout EvaluatedParts) -> Bool {
    if evaluated.isUncertain { return true }
    var isValid = true
    for (index, value) in values.enumerated() where !evaluated.contains(index) {
      guard meter.charge(1) else { return false }
      if !evaluateInside(part, value, .index(index)) {
        isValid = false
        if !isCollecting { return false }
      }
    }
    evaluated.insertAll()
    return isValid
  }

  // MARK: Objects

  mutating func check(
    _ members: JSONObject, _ rule: ObjectRule, _ node: Int, _ evaluated: inout EvaluatedParts
  ) -> Bool {
    switch rule {
    case .maxProperties(let limit):
      return members.count <= limit
        || refuse(node, "maxProperties") {
          "\($0) has \(SchemaText.count(members.count, "member")); the schema allows at most \(limit)"
        }
    case .minProperties(let limit):
      return members.count >= limit
        || refuse(node, "minProperties") {
          "\($0) has \(SchemaText.count(members.count, "member")); the schema asks for at least \(limit)"
        }
    case .required(let names): return checkRequired(members, names, nil, node)
    case .dependentRequired(let needs):
      var isValid = true
      for (name, needed) in needs where members[name] != nil {
        if !checkRequired(members, needed, name, node) { isValid = false }
      }
      return isValid
    case .dependentSchemas(let schemas):
      var isValid = true
      for (name, part) in schemas where members[name] != nil {
        if !evaluate(part, .object(members), &evaluated) { isValid = false }
        if !isValid, !isCollecting { return false }
      }
      return isValid
    case .members(let rule): return checkMembers(members, rule, node, &evaluated)
    case .propertyNames(let part): return checkNames(members, part)
    }
  }

  /// - Parameter other: the member because of which the names are needed.
  private mutating func checkRequired(
    _ members: JSONObject, _ names: [String], _ other: String?, _ node: Int
  ) -> Bool {
    var isValid = true
    for name in names {
      guard meter.charge(text: name.utf8.count) else { return false }
      if members[name] != nil { continue }
      let reason = other.map { "the schema requires it beside \(SchemaText.shortened($0))" } ?? "the schema requires it"
      isValid = refuse(node, other == nil ? "required" : "dependentRequired") { _ in
        "\(SchemaText.shortened(name)) is missing; \(reason)"
      }
      if !isCollecting { return false }
    }
    return isValid
  }

  private mutating func checkMembers(
    _ members: JSONObject, _ rule: MemberRule, _ node: Int, _ evaluated: inout EvaluatedParts
  ) -> Bool {
    var isValid = true
    for position in 0..<members.count {
      let (name, value) = members[position]
      guard meter.charge(text: name.utf8.count) else { return false }
      var isKnown = false
      var isMet = true
      if let part = rule.named[ScalarKey(name)] {
        isKnown = true
        isMet = evaluateInside(part, value, .name(name))
      }
      for (pattern, part) in rule.patterns where pattern.isFound(in: name, meter) {
        isKnown = true
        if !evaluateInside(part, value, .name(name)) { isMet = false }
      }
      if !isKnown, let part = rule.additional {
        isKnown = true
        isMet =
          schema.nodes[part].allowsNothing
          ? refuseMember(name, part, near: rule.named.keys) : evaluateInside(part, value, .name(name))
      }
      if isKnown { evaluated.insert(position) }
      if !isMet {
        isValid = false
        if !isCollecting { return false }
      }
    }
    return isValid && meter.exceeded == nil
  }

  /// Records that the schema knows no member of this name.
  /// - Returns: false.
  private mutating func refuseMember(_ name: String, _ part: Int, near names: Dictionary<ScalarKey, Int>.Keys) -> Bool {
    guard isCollecting else { return false }
    // The search reads every known name.
    guard meter.charge(names.count) else { return false }
    let near = NearNames.nearest(to: name, among: names.map(\.string).sorted())
    path.append(.name(name))
    defer { path.removeLast() }
    return refuse(part, nil) {
      "\($0) is not allowed; the schema has no such member" + (near.map { ", but \(SchemaText.shortened($0))" } ?? "")
    }
  }

  private mutating func checkNames(_ members: JSONObject, _ part: Int) -> Bool {
    var isValid = true
    for (name, _) in members {
      guard meter.charge(text: name.utf8.count) else { return false }
      isName = true
      let isMet = evaluateInside(part, .string(name), .name(name))
      isName = false
      if !isMet {
        isValid = false
        if !isCollecting { return false }
      }
    }
    return isValid
  }

  mutating func checkUnevaluated(_ members: JSONObject, _ part: Int, _ evaluated: inout EvaluatedParts) -> Bool {
    if evaluated.isUncertain { return true }
    var isValid = true
    for (position, (name, value)) in members.enumerated() where !evaluated.contains(position) {
      guard meter.charge(1) else { return false }
      if !evaluateInside(part, value, .name(name)) {
        isValid = false
        if !isCollecting { return false }
      }
    }
    evaluated.insertAll()
    return isValid
  }

  /// Checks an element or a member.
  private mutating func evaluateInside(_ part: Int, _ value: JSON, _ token: JSONPointer.Token) -> Bool {
    path.append(token)
    defer { path.removeLast() }
    var inner = EvaluatedParts(isNeeded: false)
    return evaluate(part, value, &inner)
  }
}
