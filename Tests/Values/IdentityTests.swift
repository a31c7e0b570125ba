import Runtime
import TestSupport
import Testing
import Values

@Suite("Ids, digests and seeded numbers", .timeLimit(.minutes(15)), .inTurn)
struct IdentityTests {
  @Test("A version 7 id contains its timestamp, sorts by it, and is parsed again")
  func version7() throws {
    let moment = Timestamp(milliseconds: 1_772_352_000_123)
    let id = UniqueID.version7(at: moment, random: (.max, .max))
    #expect(id.moment == moment)
    #expect(UniqueID(id.description) == id)
    #expect(UniqueID(id.description.uppercased()) == id)
    #expect(UniqueID(bytes: id.bytes) == id)
    #expect(id < UniqueID.version7(at: moment + .milliseconds(1), random: (0, 0)))
    #expect(Array(id.description)[14] == "7" && "89ab".contains(Array(id.description)[19]))
  }

  @Test(
    "Text that is not a UUID is refused",
    arguments: [
      "", "019c8a5e", "019c8a5e-7b1c-7d2e-8f3a-0123456789a", "019c8a5e-7b1c-7d2e-8f3a-0123456789ag",
      "019c8a5e7b1c-7d2e-8f3a-0123456789ab-",
    ])
  func refuses(text: String) { #expect(UniqueID(text) == nil) }

  @Test("A derived id is the same for the same name, has version 8, and has no timestamp")
  func derived() {
    let id = UniqueID.derived(from: "019c8a5e-7b1c-7d2e-8f3a-0123456789ab/store/1")
    #expect(id == UniqueID.derived(from: "019c8a5e-7b1c-7d2e-8f3a-0123456789ab/store/1"))
    #expect(id != UniqueID.derived(from: "019c8a5e-7b1c-7d2e-8f3a-0123456789ab/store/2"))
    #expect(Array(id.description)[14] == "8" && "89ab".contains(Array(id.description)[19]))
    #expect(id.moment == nil)
  }

  @Test("SHA-256 of the standard's own example (FIPS 180-4)")
  func sha256() {
    #expect(
      Digest.hex(Array("abc".utf8)) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(Digest.sha256([]).count == 32)
  }

  @Test("The same seed gives the same numbers: SplitMix64 from 0 (Vigna's reference)")
  func seeded() {
    var random = SeededRandom(seed: 0)
    #expect(random.next() == 0xE220_A839_7B1D_CDAF)
    #expect(random.next() == 0x6E78_9E6A_A1B9_65F4)
    var named = SeededRandom(name: "a/b/1")
    var again = SeededRandom(name: "a/b/1")
    for _ in 0..<100 {
      let fraction = named.fraction()
      #expect(fraction == again.fraction() && fraction >= 0 && fraction < 1)
    }
  }

  @Test("A fake clock wakes in order, not before, and reports what sleeps")
  func fakeClock() async throws {
    let clock = FakeClock()
    let start = clock.now()
    let sleeper = Task { try await clock.sleep(until: start + .seconds(10)) }
    await clock.waitForSleepers { $0 == [start + .seconds(10)] }
    clock.advance(by: .seconds(9))
    #expect(clock.deadlines.count == 1)
    clock.advance(by: .seconds(1))
    try await sleeper.value
    #expect(clock.deadlines.isEmpty)
    let cancelled = Task { try await clock.sleep(until: start + .seconds(99)) }
    await clock.waitForSleepers { $0.count == 1 }
    cancelled.cancel()
    await #expect(throws: CancellationError.self) { try await cancelled.value }
  }
}
