import JSON

// The costs of reading whole values.
extension Meter {
  /// Returns true when two values are equal. Charges for every value and text that the comparison reads.
  func areEqual(_ left: JSON, _ right: JSON) -> Bool {
    guard charge() else { return false }
    switch (left, right) {
    case (.null, .null): return true
    case (.bool(let left), .bool(let right)): return left == right
    case (.number(let left), .number(let right)): return charge(left, right) && left == right
    case (.string(let left), .string(let right)):
      return left.utf8.count == right.utf8.count && charge(text: left.utf8.count) && left.hasSameScalars(as: right)
    case (.array(let left), .array(let right)):
      guard left.count == right.count else { return false }
      return left.indices.allSatisfy { areEqual(left[$0], right[$0]) }
    case (.object(let left), .object(let right)):
      guard left.count == right.count else { return false }
      return left.allSatisfy { member in
        guard charge(text: member.name.utf8.count), let other = right[member.name] else { return false }
        return areEqual(member.value, other)
      }
    case (.null, _), (.bool, _), (.number, _), (.string, _), (.array, _), (.object, _): return false
    }
  }

  /// Charges for comparing two numbers. Numbers other than small integers are compared digit by digit.
  func charge(_ left: JSONNumber, _ right: JSONNumber) -> Bool {
    charge(1 + (left.textLength + right.textLength) >> 5)
  }

  /// Charges for a value that becomes part of the output, by its length as JSON text.
  package func produce(_ value: JSON) -> Bool {
    guard charge() else { return false }
    switch value {
    case .null, .bool: return produce(5)
    case .number(let number): return produce(number.textLength)
    case .string(let text): return produceString(text)
    case .array(let values): return produce(2 + values.count) && values.allSatisfy { produce($0) }
    case .object(let members):
      return produce(2) && members.allSatisfy { produceString($0.name) && produce(2) && produce($0.value) }
    }
  }

  /// Charges for a text with its quotes and escapes.
  private func produceString(_ text: String) -> Bool {
    guard charge(text: text.utf8.count), produce(text.utf8.count + 2) else { return false }
    var escapes = 0
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"), 0x08, 0x09, 0x0A, 0x0C, 0x0D: escapes += 1
      case 0..<0x20: escapes += 5
      default: break
      }
    }
    return produce(escapes)
  }
}
