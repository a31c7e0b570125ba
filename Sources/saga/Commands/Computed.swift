import Runtime

/// Computes on a thread whose stack is large enough for every budget.
func computed<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async -> Result {
  await Task(executorPreference: WorkPool.requests) { body() }.value
}
