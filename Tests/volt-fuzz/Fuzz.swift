internal import FuzzTargets
internal import Glibc

/// The target that `VOLT_FUZZ_TARGET` names.
private let target: FuzzTarget = {
    let name = getenv("VOLT_FUZZ_TARGET").map { String(cString: $0) } ?? ""
    guard let target = FuzzTarget.all.first(where: { $0.name == name }) else {
        fatalError("VOLT_FUZZ_TARGET is one of \(FuzzTarget.all.map(\.name).joined(separator: ", "))")
    }
    return target
}()

/// What libFuzzer calls with each input (https://llvm.org/docs/LibFuzzer.html#fuzz-target).
@_cdecl("LLVMFuzzerTestOneInput") func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    do throws(FuzzFailure) {
        try target.run(Array(UnsafeBufferPointer(start: start, count: count)))
    } catch {
        fatalError(error.description)
    }
    return 0
}

/// libFuzzer's own mutation (FuzzerInterface.h of LLVM).
@_silgen_name("LLVMFuzzerMutate") private func mutate(
    _ start: UnsafeMutablePointer<UInt8>, _ count: Int, _ room: Int
) -> Int

/// What libFuzzer calls for a next input: a fourth of them get numbers at the edges of their types.
@_cdecl("LLVMFuzzerCustomMutator") func customMutator(
    _ start: UnsafeMutablePointer<UInt8>, _ count: Int, _ room: Int, _ seed: UInt32
) -> Int {
    // SplitMix32's constant spreads seeds that follow each other.
    let random = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15
    guard random >> 62 == 0 else { return mutate(start, count, room) }
    var bytes = Array(UnsafeBufferPointer(start: start, count: count))
    EdgeNumbers.mutate(&bytes, random)
    let kept = min(bytes.count, room)
    for index in 0..<kept { start[index] = bytes[index] }
    return kept
}
