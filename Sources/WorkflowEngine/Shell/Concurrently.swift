/// Runs a task for each element, with a limit on the number of tasks at a time.
func concurrently<Element: Sendable>(
  _ elements: [Element], atMost limit: Int = 32, _ body: @Sendable @escaping (Element) async -> Void
) async {
  await withTaskGroup(of: Void.self) { group in
    for (index, element) in elements.enumerated() {
      if index >= limit { await group.next() }
      group.addTask { await body(element) }
    }
  }
}
