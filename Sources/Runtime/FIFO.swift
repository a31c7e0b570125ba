/// A first-in, first-out queue with constant time for each element.
package struct FIFO<Element> {
  private var elements: [Element?] = []
  private var first = 0

  package init() {}

  package var isEmpty: Bool { first == elements.count }
  package var count: Int { elements.count - first }

  package mutating func append(_ element: Element) { elements.append(element) }

  package mutating func popFirst() -> Element? {
    guard first < elements.count else { return nil }
    let element = elements[first]
    elements[first] = nil
    first += 1
    if first == elements.count {
      elements.removeAll(keepingCapacity: true)
      first = 0
    } else if first > 1_024, first * 2 > elements.count {
      elements.removeFirst(first)
      first = 0
    }
    return element
  }
}

extension FIFO: Sendable where Element: Sendable {}
