"""Made encrypted_form_vector.json: what ODK Collect sends of an encrypted form, by ODK's specification alone and with another
library (Python's cryptography 48). Run: python3 encrypted_form_vector.py > encrypted_form_vector.json"""
import base64, hashlib, json, os
from cryptography.hazmat.primitives import hashes, padding, serialization
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
try:
    from cryptography.hazmat.decrepit.ciphers.modes import CFB
except ImportError:
    from cryptography.hazmat.primitives.ciphers.modes import CFB

FORM, VERSION, INSTANCE = "hh", "1", "uuid:5eed0000-0000-4000-8000-00000000000a"
XML = (f'<data id="{FORM}" version="{VERSION}"><case><village>V00</village></case><own><k1>2</k1></own>'
       f"<meta><instanceID>{INSTANCE}</instanceID></meta></data>").encode()
MEDIA = [("audit.csv", b"event,node,start,end\n"), ("ghi chu.txt", b"x" * 16)]

private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
public = private.public_key()


def to_custodian(plain, mgf=hashes.SHA256):
    oaep = rsa_padding.OAEP(rsa_padding.MGF1(mgf()), hashes.SHA256(), None)
    return base64.b64encode(public.encrypt(plain, oaep)).decode()


def encrypt(mgf=hashes.SHA256):
    secret = os.urandom(32)
    seed = bytearray(hashlib.md5(INSTANCE.encode() + secret).digest())
    key = to_custodian(secret, mgf)
    signed = f"{FORM}\n{VERSION}\n{key}\n{INSTANCE}\n"
    files = {}
    for n, (name, plain) in enumerate(MEDIA + [("submission.xml", XML)]):
        seed[n % 16] = (seed[n % 16] + 1) % 256
        padder = padding.PKCS7(128).padder()
        padded = padder.update(plain) + padder.finalize()
        cipher = Cipher(algorithms.AES(secret), CFB(bytes(seed))).encryptor()
        files[name + ".enc"] = base64.b64encode(cipher.update(padded) + cipher.finalize()).decode()
        signed += f"{name}::{hashlib.md5(plain).hexdigest()}\n"
    signature = to_custodian(hashlib.md5(signed.encode()).digest(), mgf)
    media = "".join(f"<media><file>{name}.enc</file></media>" for name, _ in MEDIA)
    manifest = (f'<data xmlns="http://www.opendatakit.org/xforms/encrypted" encrypted="yes" id="{FORM}" version="{VERSION}">'
                f"<base64EncryptedKey>{key}</base64EncryptedKey>"
                f'<meta xmlns="http://openrosa.org/xforms"><instanceID>{INSTANCE}</instanceID></meta>{media}'
                "<encryptedXmlFile>submission.xml.enc</encryptedXmlFile>"
                f"<base64EncryptedElementSignature>{signature}</base64EncryptedElementSignature></data>")
    return {"manifest": manifest, "files": files}


der = serialization.Encoding.DER
print(json.dumps({
    "private": base64.b64encode(private.private_bytes(
        der, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())).decode(),
    "public": base64.b64encode(public.public_bytes(
        der, serialization.PublicFormat.SubjectPublicKeyInfo)).decode(),
    "xml": XML.decode(),
    "collect": encrypt(),
    "mgf1_with_sha_1": encrypt(hashes.SHA1),
}, indent=1))
