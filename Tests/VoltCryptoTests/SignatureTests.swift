import Testing
import VoltCore
import VoltCrypto

@Suite struct SignatureTests {
    private func bytes(_ text: String) throws -> [UInt8] { try #require(Base64URL.decode(text)) }

    @Test("base64url has one form")
    func base64URL() {
        #expect(Base64URL.encode([0xfb, 0xff, 0xfe]) == "-__-")
        #expect(
            Base64URL.encode([]) == "" && Base64URL.encode([1]) == "AQ" && Base64URL.encode([1, 2]) == "AQI")
        #expect(Base64URL.decode("-__-") == [0xfb, 0xff, 0xfe])
        for count in 0..<70 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 37 + 200) }
            #expect(Base64URL.decode(Base64URL.encode(bytes)) == bytes)
        }
        for wrong in ["A", "AQ==", "AQ=", "AR", "+__-", "-//-", "A Q", "AQI\n", "AAAAA", "é"] {
            #expect(Base64URL.decode(wrong) == nil, "\(wrong)")
        }
    }

    @Test("RFC 8037, appendix A.4: EdDSA")
    func edDSA() throws {
        let key = try PublicKey(
            ed25519: try bytes("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"), named: "A.2")
        let message = Array("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc".utf8)
        let signature = try bytes(
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg")
        try check(key, .edDSA, message, signature)
        // The private key of A.1, wrapped as RFC 8410 has it, makes the same signature.
        let seed = try bytes("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
        let wrapped = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20] + seed
        let pem = "-----BEGIN PRIVATE KEY-----\n\(Base64.encode(wrapped))\n-----END PRIVATE KEY-----\n"
        let own = try PrivateKey(pem: Array(pem.utf8), named: "A.1")
        #expect(own.sign(message) == signature)
        #expect(own.publicKey.der == key.der && own.publicKey.identifier == key.identifier)
    }

    @Test("RFC 7515, appendix A.3: ES256")
    func es256() throws {
        let key = try PublicKey(
            p256: try bytes("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"),
            try bytes("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"), named: "A.3")
        let message = Array("eyJhbGciOiJFUzI1NiJ9.\(Self.payload)".utf8)
        let signature = try bytes(
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q")
        try check(key, .es256, message, signature)
        // Both coordinates are on the curve only together.
        #expect(throws: VoltError.self) {
            try PublicKey(
                p256: [UInt8](repeating: 1, count: 32), [UInt8](repeating: 1, count: 32), named: "off")
        }
    }

    @Test("RFC 7515, appendix A.2: RS256")
    func rs256() throws {
        let modulus =
            "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4Ql"
            + "L-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUs"
            + "LA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoud"
            + "F8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
        let key = try PublicKey(rsaModulus: try bytes(modulus), exponent: try bytes("AQAB"), named: "A.2")
        let message = Array("eyJhbGciOiJSUzI1NiJ9.\(Self.payload)".utf8)
        let signature = try bytes(
            "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujG"
                + "bds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07"
                + "Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUi"
                + "pUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw")
        try check(key, .rs256, message, signature)
    }

    private static let payload =
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

    private func check(
        _ key: PublicKey, _ algorithm: SignatureAlgorithm, _ message: [UInt8], _ signature: [UInt8]
    ) throws {
        #expect(key.algorithm == algorithm)
        #expect(key.verifies(signature, of: message))
        #expect(!key.verifies(signature, of: message + [0]))
        #expect(!key.verifies([], of: message) && !key.verifies(signature + [0], of: message))
        #expect(!key.verifies([UInt8](repeating: 0, count: signature.count), of: message))
        for index in [0, signature.count / 2, signature.count - 1] {
            var wrong = signature
            wrong[index] ^= 1
            #expect(!key.verifies(wrong, of: message))
        }
        let again = try PublicKey(der: key.der, named: "again")
        #expect(again.verifies(signature, of: message))
    }

    @Test("a new key signs, and reads back from its file")
    func newKey() throws {
        let file = PrivateKey.newEd25519()
        let key = try PrivateKey(pem: file, named: "new")
        #expect(key.algorithm == .edDSA)
        #expect(key.publicKey.verifies(key.sign([1, 2, 3]), of: [1, 2, 3]))
        #expect(PrivateKey.newEd25519() != file)
    }

    @Test(
        "what is no key is refused, and its bytes are not shown",
        arguments: ["", "secret", "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n"])
    func refused(text: String) {
        let error = #expect(throws: VoltError.self) { try PrivateKey(pem: Array(text.utf8), named: "f") }
        #expect(error?.code == .refused && error?.message.contains("secret") == false)
        #expect(throws: VoltError.self) { try PublicKey.keys(pem: Array(text.utf8), named: "f") }
        #expect(throws: VoltError.self) { try PublicKey(der: Array(text.utf8), named: "f") }
    }
}
