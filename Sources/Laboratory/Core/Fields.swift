import JSON
import Runtime
import Values

/// Reads a command's body and collects all errors in it, so that one answer names them all.
struct Fields: MistakeCollector {
  private let body: JSON
  private(set) var places: [LabRefusal.Place] = []

  /// - Parameter body: an object; nil and null count as an empty one.
  init(_ body: JSON?) throws(LabRefusal) {
    switch body {
    case nil, .some(.null): self.body = .object([:])
    case .some(let body):
      guard body.objectValue != nil else {
        throw .invalid([LabRefusal.Place(pointer: "", message: "must be an object, not \(body.kind)")])
      }
      self.body = body
    }
  }

  /// Returns a member. A member that is null counts as missing.
  func member(_ name: String) -> JSON? { body[name].flatMap { $0.isNull ? nil : $0 } }
  /// Returns whether the member exists and is not null.
  func has(_ name: String) -> Bool { member(name) != nil }

  mutating func noteMissing(_ name: String) { refuse(name, "is required") }

  mutating func noteWrong(_ pointer: JSONPointer, _ what: String, nearName: String?) {
    places.append(LabRefusal.Place(pointer: pointer.description, message: what))
  }

  /// Returns a text of 1 to `longest` characters. A wrong or missing text is noted and read as "".
  mutating func text(_ name: String, longest: Int = 200) -> String {
    text(name, isRequired: true, atMost: longest) ?? ""
  }

  mutating func optionalText(_ name: String, longest: Int = 200) -> String? {
    text(name, isRequired: false, atMost: longest)
  }

  /// Returns an identifier of 1 to `longest` visible characters, in normalization form C.
  mutating func identifier(_ name: String, longest: Int) -> String {
    guard has(name) else {
      refuse(name, "is required")
      return ""
    }
    return optionalIdentifier(name, longest: longest) ?? ""
  }

  mutating func optionalIdentifier(_ name: String, longest: Int) -> String? {
    guard let text = optionalText(name, longest: longest) else { return nil }
    if let fault = VisibleText.fault(in: text) {
      refuse(name, fault)
      return nil
    }
    return VisibleText.normal(text)
  }

  mutating func barcode(_ name: String = "barcode") -> Barcode? {
    guard has(name), let value = body[name] else {
      refuse(name, "is required: \(Barcode.rule)")
      return nil
    }
    guard let text = value.stringValue, let barcode = Barcode(text) else {
      let fault = value.stringValue.flatMap { VisibleText.fault(in: $0) }
      refuse(name, fault.map { "\($0); a barcode \(Barcode.rule)" } ?? Barcode.rule)
      return nil
    }
    return barcode
  }

  /// Returns the barcodes of samples from the member `barcodes`: at least one, each once.
  mutating func barcodes(atMost most: Int) -> [String] {
    let elements = read("barcodes", "must be a list of 1 to \(most) barcodes", isRequired: true) { value in
      value.arrayValue.flatMap { (1...most).contains($0.count) ? $0 : nil }
    }
    var barcodes: [String] = []
    var known: Set<String> = []
    for (index, element) in (elements ?? []).enumerated() {
      let place = JSONPointer.root.appending(.name("barcodes")).appending(.index(index))
      guard let barcode = element.stringValue.flatMap({ Barcode($0) }) else {
        noteWrong(place, Barcode.rule, nearName: nil)
        continue
      }
      if !known.insert(barcode.text).inserted { noteWrong(place, "comes twice", nearName: nil) }
      barcodes.append(barcode.text)
    }
    return barcodes
  }

  mutating func sampleType(_ name: String = "type") -> SampleType? {
    named(name, SampleType.allCases.map(\.rawValue)) { SampleType(rawValue: $0) }
  }

  mutating func zone(_ name: String = "temperature") -> Zone? {
    named(name, Zone.allCases.map(\.rawValue)) { Zone(text: $0) }
  }

  mutating func named<Value>(_ name: String, _ allowed: [String], _ convert: (String) -> Value?) -> Value? {
    read(name, "must be one of \(allowed.joined(separator: ", "))", isRequired: true) {
      $0.stringValue.flatMap(convert)
    }
  }

  mutating func volume(_ name: String = "volumeMl") -> Volume? {
    read(name, "must be a number above 0 and at most 1000 (millilitres)", isRequired: true) { value in
      value.doubleValue.flatMap { Volume(millilitres: $0) }
    }
  }

  /// - Parameter outer: the name of an object that may have the member instead.
  mutating func time(_ name: String, orIn outer: String? = nil) -> Timestamp? {
    var pointer = JSONPointer.root.appending(.name(name))
    var value = member(name)
    if value == nil, let outer, let inner = body[outer]?[name], !inner.isNull {
      pointer = .root.appending(.name(outer)).appending(.name(name))
      value = inner
    }
    guard let value else { return nil }
    guard let time = value.stringValue.flatMap({ Timestamp($0) }) else {
      noteWrong(pointer, "must be an RFC 3339 date-time, as 2026-03-01T08:15:00Z", nearName: nil)
      return nil
    }
    return time
  }

  mutating func id(_ name: String) -> UniqueID? {
    read(name, "must be a UUID", isRequired: true) { value in value.stringValue.flatMap { UniqueID($0) } }
  }

  /// - Throws: a refusal with all errors, when there are any.
  func check() throws(LabRefusal) {
    if !places.isEmpty { throw .invalid(places) }
  }

  /// Returns the value when there are no errors.
  func checked<Value>(_ value: Value?) throws(LabRefusal) -> Value {
    try check()
    guard let value else { throw .invalid(places) }
    return value
  }
}
