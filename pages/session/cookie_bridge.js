// Streamlit can neither set nor clear an HttpOnly cookie; this exchanges a ticket for it at the API. A ticket is good
// once, so a page that is drawn again must not send it again, unless the server could not take it.
export default function ({ data }) {
  const sent = (window.__taskdeckTickets ??= new Set());
  if (sent.has(data.ticket)) return;
  sent.add(data.ticket);
  const address = new URL("api/session", document.baseURI.replace(/\/[^/]*$/, "/"));
  const request = {
    method: data.method,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ticket: data.ticket }),
    keepalive: true, // once sent, it survives a reload
  };
  const send = (tries) =>
    fetch(address, request)
      .then((answer) => answer.status >= 500 && Promise.reject(answer.status))
      .catch(() => tries && setTimeout(() => send(tries - 1), 2000));
  send(10);
}
