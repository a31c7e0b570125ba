import JSON
import Patterns

/// Reads the keywords of one schema as rules.
struct SchemaRuleReader {
  let compiler: SchemaCompiler
  let members: JSONObject
  let place: Int
  let node: Int
  private(set) var rules: [SchemaRule] = []

  init(compiler: SchemaCompiler, members: JSONObject, place: Int, node: Int) {
    self.compiler = compiler
    self.members = members
    self.place = place
    self.node = node
  }

  /// The rules on the value alone come first, because they cost least. The rules on what is not evaluated come last,
  /// because they need the results of all others.
  mutating func read() {
    let vocabularies = compiler.vocabularies(at: place)
    if vocabularies.contains(.validation) {
      readValues()
      readNumbers()
      readTexts()
      readSizes()
    }
    // Definitions have no effect of their own, but references lead to them.
    for name in ["$defs", "definitions"] { _ = schemas(name) }
    if vocabularies.contains(.applicator) { readApplicators(vocabularies) }
    readReferences()
    if vocabularies.contains(.applicator) { readInPlace() }
    if vocabularies.contains(.unevaluated) {
      if let schema = schema("unevaluatedItems") { rules.append(.unevaluatedItems(schema)) }
      if let schema = schema("unevaluatedProperties") { rules.append(.unevaluatedProperties(schema)) }
    }
    if vocabularies.contains(.metadata) { readAnnotations() }
    if vocabularies.contains(.formatAnnotation) { _ = compiler.text("format", of: members, at: place) }
    if vocabularies.contains(.content) {
      for name in ["contentEncoding", "contentMediaType"] { _ = compiler.text(name, of: members, at: place) }
      _ = schema("contentSchema")
    }
  }

  // MARK: Values, numbers, texts

  private mutating func readValues() {
    if let json = members["type"], let types = types(json) { rules.append(.type(types)) }
    if let json = members["const"] { rules.append(.constant(WeighedValue(json))) }
    if let json = members["enum"] {
      if case .array(let values) = json {
        rules.append(.oneOfValues(SchemaValues(values)))
      } else {
        compiler.wrongType("enum", "a list of values", json, at: place)
      }
    }
  }

  private func types(_ json: JSON) -> SchemaTypes? {
    let names: [JSON]
    switch json {
    case .string: names = [json]
    case .array(let values): names = values
    case .null, .bool, .number, .object:
      compiler.wrongType("type", "the name of a type or a list of such names", json, at: place)
      return nil
    }
    if names.isEmpty {
      compiler.error(SchemaErrorCode.keyword, "\"type\" is empty: no value has none of the types", at: place, "type")
      return nil
    }
    var types: SchemaTypes = []
    for name in names {
      guard let type = SchemaTypes.names.first(where: { name.stringValue == $0.name }) else {
        compiler.error(
          SchemaErrorCode.keyword,
          "\"type\" is one of \(SchemaTypes.names.map(\.name).joined(separator: ", ")), not \(SchemaText.shown(name))",
          at: place, "type", near: SchemaText.nearType(to: name))
        return nil
      }
      types.insert(type.type)
    }
    return types
  }

  private mutating func readNumbers() {
    if let divisor = number("multipleOf") {
      if divisor > JSONNumber(0) {
        rules.append(.number(.multipleOf(divisor)))
      } else {
        compiler.error(SchemaErrorCode.keyword, "\"multipleOf\" is greater than 0", at: place, "multipleOf")
      }
    }
    if let limit = number("maximum") { rules.append(.number(.maximum(limit))) }
    if let limit = number("exclusiveMaximum") { rules.append(.number(.exclusiveMaximum(limit))) }
    if let limit = number("minimum") { rules.append(.number(.minimum(limit))) }
    if let limit = number("exclusiveMinimum") { rules.append(.number(.exclusiveMinimum(limit))) }
  }

  private mutating func readTexts() {
    if let limit = count("maxLength") { rules.append(.text(.maxLength(limit))) }
    if let limit = count("minLength") { rules.append(.text(.minLength(limit))) }
    if let source = compiler.text("pattern", of: members, at: place),
      let pattern = pattern(source, "pattern")
    {
      rules.append(.text(.pattern(pattern, source: source)))
    }
  }

  /// Compiles a pattern; reports one that can't be used.
  private func pattern(_ source: String, _ path: String...) -> ECMAPattern? {
    let isName = path.count > 1
    do throws(PatternError) {
      let pattern = try ECMAPattern(source)
      compiler.patternSize += pattern.size
      if compiler.patternSize > SchemaCompiler.mostPatternSize {
        compiler.refuseSize("the patterns of the schema are too large together", at: place)
      }
      return pattern
    } catch {
      let spot: SchemaFinding.Spot = isName ? .name : .inside(error.at)
      let code = error.isUnsupported ? SchemaErrorCode.unsupported : SchemaErrorCode.pattern
      let message = "the pattern \"\(SchemaText.shortened(source))\" can't be used: \(error.message)"
      if let last = path.last, isName {
        compiler.error(code, message, at: place, path[0], last, spot: spot)
      } else {
        compiler.error(code, message, at: place, path[0], spot: spot)
      }
      return nil
    }
  }

  // MARK: Sizes and names

  private mutating func readSizes() {
    if let limit = count("maxItems") { rules.append(.array(.maxItems(limit))) }
    if let limit = count("minItems") { rules.append(.array(.minItems(limit))) }
    if let json = members["uniqueItems"] {
      if case .bool(let isUnique) = json {
        if isUnique { rules.append(.array(.uniqueItems)) }
      } else {
        compiler.wrongType("uniqueItems", "true or false", json, at: place)
      }
    }
    if let limit = count("maxProperties") { rules.append(.object(.maxProperties(limit))) }
    if let limit = count("minProperties") { rules.append(.object(.minProperties(limit))) }
    if let json = members["required"], let names = names(json, "required") { rules.append(.object(.required(names))) }
    if let json = members["dependentRequired"] {
      guard case .object(let lists) = json else {
        compiler.wrongType("dependentRequired", "an object of lists of names", json, at: place)
        return
      }
      let needs = lists.compactMap { name, list in
        names(list, "dependentRequired", name).map { (name: name, needed: $0) }
      }
      rules.append(.object(.dependentRequired(needs)))
    }
  }

  private func names(_ json: JSON, _ keyword: String, _ member: String? = nil) -> [String]? {
    if case .array(let values) = json {
      let names = values.compactMap(\.stringValue)
      if names.count == values.count { return names }
    }
    let message = "\"\(keyword)\" is a list of names, not \(SchemaText.shown(json))"
    if let member {
      compiler.error(SchemaErrorCode.keyword, message, at: place, keyword, member)
    } else {
      compiler.error(SchemaErrorCode.keyword, message, at: place, keyword)
    }
    return nil
  }

  private mutating func readAnnotations() {
    for name in ["title", "description"] { _ = compiler.text(name, of: members, at: place) }
    for name in ["deprecated", "readOnly", "writeOnly", "sensitive"] {
      if let json = members[name], json.boolValue == nil {
        compiler.wrongType(name, "true or false", json, at: place)
      }
    }
    if let json = members["examples"], json.arrayValue == nil {
      compiler.wrongType("examples", "a list of values", json, at: place)
    }
  }

  // MARK: Parts of the value

  private mutating func readApplicators(_ vocabularies: SchemaVocabularies) {
    let prefix = list("prefixItems") ?? []
    var items: Int?
    if let json = members["items"] {
      if case .array = json {
        compiler.error(
          SchemaErrorCode.keyword, "\"items\" is one schema for all elements; a list of schemas is \"prefixItems\"",
          at: place, "items", near: "prefixItems")
      } else {
        items = schema("items")
      }
    }
    if !prefix.isEmpty || items != nil { rules.append(.array(.elements(prefix: prefix, items: items))) }

    let isCounted = vocabularies.contains(.validation)
    let (least, most) = isCounted ? (count("minContains"), count("maxContains")) : (nil, nil)
    if let schema = schema("contains") { rules.append(.array(.contains(schema, least: least, most: most))) }

    var rule = MemberRule()
    for (name, schema) in schemas("properties") ?? [] { rule.named[ScalarKey(name)] = schema }
    for (source, schema) in schemas("patternProperties") ?? [] {
      if let pattern = pattern(source, "patternProperties", source) { rule.patterns.append((pattern, schema)) }
    }
    rule.additional = schema("additionalProperties")
    if !rule.named.isEmpty || !rule.patterns.isEmpty || rule.additional != nil {
      rules.append(.object(.members(rule)))
    }
    if let schema = schema("propertyNames") { rules.append(.object(.propertyNames(schema))) }
    if let schemas = schemas("dependentSchemas") { rules.append(.object(.dependentSchemas(schemas))) }
  }

  // MARK: The same value

  private mutating func readReferences() {
    for keyword in ["$ref", "$dynamicRef"] {
      guard let text = compiler.text(keyword, of: members, at: place) else { continue }
      compiler.addReference(text, keyword: keyword, node: node, rule: rules.count)
      // The target is filled in when all schemas are known.
      rules.append(.inPlace(.ref(node)))
    }
  }

  private mutating func readInPlace() {
    if let parts = list("allOf") { rules.append(.inPlace(.allOf(parts))) }
    if let parts = list("anyOf") { rules.append(.inPlace(.anyOf(parts))) }
    if let parts = list("oneOf") { rules.append(.inPlace(.oneOf(parts))) }
    if let schema = schema("not") { rules.append(.inPlace(.not(schema))) }
    let (then, otherwise) = (schema("then"), schema("else"))
    if let condition = schema("if") {
      rules.append(.inPlace(.conditional(if: condition, then: then, else: otherwise)))
    }
  }

  // MARK: Arguments

  private func number(_ keyword: String) -> JSONNumber? {
    guard let json = members[keyword] else { return nil }
    if case .number(let number) = json { return number }
    compiler.wrongType(keyword, "a number", json, at: place)
    return nil
  }

  /// Reads a whole number from 0. A larger one than an `Int` is as good as the largest.
  private func count(_ keyword: String) -> Int? {
    guard let json = members[keyword] else { return nil }
    guard case .number(let number) = json, number.isWhole, number >= JSONNumber(0) else {
      compiler.error(
        SchemaErrorCode.keyword, "\"\(keyword)\" is a whole number from 0, not \(SchemaText.shown(json))", at: place,
        keyword)
      return nil
    }
    return number.intValue ?? .max
  }

  private func schema(_ keyword: String) -> Int? {
    compiler.child(.name(keyword), of: place).map { compiler.schema(at: $0) }
  }

  /// Reads a list of at least one schema.
  private func list(_ keyword: String) -> [Int]? {
    guard let json = members[keyword], let here = compiler.child(.name(keyword), of: place) else { return nil }
    guard case .array(let values) = json, !values.isEmpty else {
      compiler.error(
        SchemaErrorCode.keyword, "\"\(keyword)\" is a list of at least one schema, not \(SchemaText.shown(json))",
        at: place, keyword)
      return nil
    }
    return values.indices.compactMap { compiler.child(.index($0), of: here).map { compiler.schema(at: $0) } }
  }

  /// Reads an object of schemas.
  private func schemas(_ keyword: String) -> [(name: String, schema: Int)]? {
    guard let json = members[keyword], let here = compiler.child(.name(keyword), of: place) else { return nil }
    guard case .object(let parts) = json else {
      compiler.wrongType(keyword, "an object of schemas", json, at: place)
      return nil
    }
    return parts.keys.compactMap { name in
      compiler.child(.name(name), of: here).map { (name, compiler.schema(at: $0)) }
    }
  }
}
