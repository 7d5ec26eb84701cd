import type { Speech } from "../words";

/** Roles joined by slashes, in the reader's language; one unknown here stays as it is. */
export function roleText(roles: string, speech: Speech): string {
  return roles.split("/").map((role) => oneRole(role, speech)).join(", ");
}

function oneRole(role: string, { t }: Speech): string {
  if (role === "investor") return t("role_investor");
  if (role === "business_owner") return t("role_business_owner");
  if (role === "operations") return t("role_operations");
  return role.replace(/_/g, " ");
}
