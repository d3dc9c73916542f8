// The provider sends people back to the first page. The tab itself keeps where they were going.
export default function ({ data, setTriggerValue }) {
  if (data.leaving) return sessionStorage.setItem("taskdeck_place", location.pathname + location.search);
  setTriggerValue("place", sessionStorage.getItem("taskdeck_place") ?? "/");
  sessionStorage.removeItem("taskdeck_place");
}
