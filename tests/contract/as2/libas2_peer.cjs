// GLOBEX by npm libas2: composes a message and judges its MDN, or opens a message and answers with an MDN.
// Arguments: the folder with the keys, then `compose`, `judge` or `answer`. JSON in and out, bodies in base64.
const fs = require('fs')
const path = require('path')
const { AS2Composer, AS2Parser } = require('libas2')
const { AS2SignedData } = require('libas2/dist/src/AS2Crypto/AS2SignedData')

// With the webcrypto that npm installs beside it, it would ask for a key that decrypts in order to sign.
AS2SignedData.prototype._getCertAlgorithmId = () => '1.2.840.113549.1.1.11'

const [folder, task] = process.argv.slice(2)
const pem = name => fs.readFileSync(path.join(folder, name))
const agreement = (sign, encrypt) => ({
  host: {
    name: 'GLOBEX', id: 'GLOBEX', url: 'http://127.0.0.1/mdn', certificate: pem('globex.pem'), privateKey: pem('globex.key'),
    decrypt: true, sign, mdn: { async: false, signing: 'sha-256' }
  },
  partner: {
    name: 'ACME', id: 'ACME', url: 'http://127.0.0.1/as2', certificate: pem('acme.pem'), encrypt, verify: true,
    mdn: { async: false, signing: 'sha-256' }
  }
})
const parse = given => AS2Parser.parse({ headers: given.headers, content: Buffer.from(given.body, 'base64') })

const tasks = {
  async compose ({ payload, sign, encrypt }) {
    const composer = new AS2Composer({
      message: {
        content: Buffer.from(payload, 'base64'), contentType: 'application/EDIFACT', filename: 'ORDERS.edi',
        messageId: '<7@globex>', headers: [{ key: 'Content-Transfer-Encoding', value: 'base64' }]
      },
      agreement: agreement(sign, encrypt)
    })
    const { headers, body } = await composer.toRequestOptions()
    return { headers, body: Buffer.from(body).toString('base64') }
  },
  async judge (given) {
    const mdn = await parse(given)
    const { notification } = await mdn.dispositionIn({ cert: pem('acme.pem') })
    return { type: notification.disposition.type, id: notification.originalMessageId, mic: notification.receivedContentMic }
  },
  async answer (given) {
    const message = await parse(given)
    const { contentNode, dispositionNode } = await message.dispositionOut({ agreement: agreement('sha-256', 'aes256-CBC') })
    const { headers, body } = await dispositionNode.buildObject()
    const content = Buffer.isBuffer(contentNode.content) ? contentNode.content : Buffer.from(contentNode.content)
    return { headers, body: Buffer.from(body).toString('base64'), payload: content.toString('base64') }
  }
}

tasks[task](JSON.parse(fs.readFileSync(0, 'utf8'))).then(
  said => process.stdout.write(JSON.stringify(said)),
  error => { process.stderr.write(String(error && error.stack)); process.exit(1) }
)
